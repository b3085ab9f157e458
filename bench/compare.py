"""Two results side by side, and against the targets."""

import statistics
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.cell import Cell
from bench.report import MEASURES, Result


def by_name(result: Result) -> dict[str, list[Cell]]:
    """The cells of the same shape, one for each round."""
    rounds: dict[str, list[Cell]] = {}
    for cell in result.cells:
        rounds.setdefault(cell.name, []).append(cell)
    return rounds


def median(cells: list[Cell], measure: str) -> float:
    """Of several rounds; for a single one it is that one."""
    return statistics.median(MEASURES[measure](cell) for cell in cells)


def compare(console: Console, ours: Result, theirs: Result) -> None:
    """With the ratio ours / theirs; of several rounds the median."""
    others = by_name(theirs)
    for name, cells in by_name(ours).items():
        if other := others.get(name):
            title = f"{name} callers, median of {len(cells)} and {len(other)}"
            labels = [f"{result.label} {result.machine['commit']}" for result in (ours, theirs)]
            table = Table("", *labels, "ratio", title=title)
            for measure in MEASURES:
                a, b = median(cells, measure), median(other, measure)
                table.add_row(measure, f"{a:.4g}", f"{b:.4g}", f"{a / b:.3g}" if b else "")
            console.print(table)


@dataclass(frozen=True)
class Target:
    """A figure to reach; to look at, never a reason to fail."""

    what: str
    measured: float
    sign: str
    aim: float

    @property
    def met(self) -> bool:
        return self.measured >= self.aim if self.sign == "≥" else self.measured <= self.aim


def targets(ours: Result, textbook: Result) -> list[Target]:
    """What this project has set itself, from what a prototype reached; the last three on a quiet machine."""
    mine, theirs = by_name(ours), by_name(textbook)

    def ratio(callers: str, measure: str) -> float:
        return median(mine[callers], measure) / max(median(theirs[callers], measure), 1e-9)

    return [
        Target("sagas/s at 64, ratio", ratio("64", "sagas/s"), "≥", 8),
        Target("sagas/s at 16, ratio", ratio("16", "sagas/s"), "≥", 3),
        Target("p50 at 1, ratio", ratio("1", "p50 ms"), "≤", 1 / 8),
        Target("CPU per saga at 64, ratio", ratio("64", "CPU ms"), "≤", 0.15),
        Target("commits per saga at 64", median(mine["64"], "commits"), "≤", 0.6),
        Target("commits per saga at 1", median(mine["1"], "commits"), "≤", 9),
        Target("p99 / p50 at 64", median(mine["64"], "p99 ms") / median(mine["64"], "p50 ms"), "≤", 2.5),
        Target("sagas/s at 64", median(mine["64"], "sagas/s"), "≥", 1200),
        Target("sagas/s at 16", median(mine["16"], "sagas/s"), "≥", 550),
        Target("p50 ms at 1", median(mine["1"], "p50 ms"), "≤", 10),
    ]


def show_targets(console: Console, ours: Result, textbook: Result) -> None:
    table = Table("", "measured", "target", "", title="Targets")
    for t in targets(ours, textbook):
        verdict = "[green]met[/]" if t.met else "[red]not met[/]"
        table.add_row(t.what, f"{t.measured:.3g}", f"{t.sign} {t.aim:g}", verdict)
    console.print(table)
