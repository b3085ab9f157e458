"""Markdown."""

from collections.abc import Iterator, Sequence

from bench.report import Result

Row = Sequence[object]


def table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """One line a row; numbers in three digits."""
    yield line(head)
    yield "|" + "---|" * len(head)
    yield from map(line, rows)


def line(row: Row) -> str:
    return f"| {' | '.join(map(text, row))} |"


def text(value: object) -> str:
    """Three digits; thousands with a comma."""
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def where(result: Result) -> str:
    """What, when, on what, and how noisy it was."""
    others = [cell.other_cores for cell in result.cells]
    machine = result.machine
    return (
        f"Commit {machine['commit']}, {machine['at'][:16]}, {machine['machine']} for everything, Python"
        f" {machine['python']}; others used {min(others):.2f} to {max(others):.2f} cores meanwhile."
    )
