"""Two results as bars in an SVG that needs nothing to be looked at."""

from collections.abc import Iterator

from bench.compare import by_name, median
from bench.report import Result

WIDTH, LEFT, BAR, GAP = 720, 150, 16, 14
COLOURS = ("#2563eb", "#9ca3af")
SHOWN = {"sagas/s": "sagas a second (more is better)", "p50 ms": "p50, ms", "CPU ms": "CPU a saga, ms, all processes"}


def draw(results: list[Result]) -> str:
    """One block of bars for each measure, one pair of bars for each number of callers."""
    lines, y = [], 30
    for measure, title in SHOWN.items():
        lines.append(_text(10, y, title, "bold"))
        y += GAP
        bars = list(_bars(results, measure))
        longest = max(value for _, _, value in bars)
        for index, (name, colour, value) in enumerate(bars):
            width = max(1, (WIDTH - LEFT - 90) * value / longest)
            if index % len(results) == 0:
                lines.append(_text(10, y + BAR - 3, f"{name} callers"))
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 2}" fill="{colour}"/>')
            lines.append(_text(LEFT + width + 6, y + BAR - 4, f"{value:.3g}"))
            y += BAR + (GAP // 2 if index % len(results) == len(results) - 1 else 0)
        y += 2 * GAP
    for number, (result, colour) in enumerate(zip(results, COLOURS, strict=False)):
        lines.append(f'<rect x="{LEFT + 150 * number}" y="{y - 12}" width="12" height="12" fill="{colour}"/>')
        lines.append(_text(LEFT + 150 * number + 18, y - 2, result.label))
    box = f'viewBox="0 0 {WIDTH} {y + 10}" font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *lines, "</svg>\n"])


def _bars(results: list[Result], measure: str) -> Iterator[tuple[str, str, float]]:
    rounds = [by_name(result) for result in results]
    for name in rounds[0]:
        for cells, colour in zip(rounds, COLOURS, strict=False):
            yield name, colour, median(cells[name], measure)


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-weight="{weight}">{text}</text>'
