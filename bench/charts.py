"""Bars in an SVG that needs nothing to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare import by_name, median
from bench.report import MEASURES, Result
from local.instance import ORCHESTRATOR

WIDTH, LEFT, BAR, GAP = 720, 170, 16, 14
COLOURS = ("#2563eb", "#9ca3af")
VERSUS = {"sagas/s": "sagas a second (more is better)", "p50 ms": "p50, ms", "CPU ms": "CPU a saga, ms, all processes"}
GROWTH = {
    "services": "CPU a saga, ms, four services",
    "postgres": "CPU a saga, ms, four Postgres",
    "WAL kB": "WAL a saga, kB",
}


@dataclass(frozen=True)
class Bar:
    """One value; bars with the same label stand together."""

    label: str
    value: float
    colour: str = COLOURS[0]


Blocks = dict[str, list[Bar]]
"""Title -> its bars."""


def versus(results: Sequence[Result]) -> str:
    """Two systems, side by side for each number of callers."""
    rounds = [(by_name(result), colour) for result, colour in zip(results, COLOURS, strict=True)]
    blocks = {
        title: [
            Bar(f"{name} callers", median(cells[name], measure), colour)
            for name in rounds[0][0]
            for cells, colour in rounds
        ]
        for measure, title in VERSUS.items()
    }
    return draw(blocks, {result.label: colour for result, colour in zip(results, COLOURS, strict=True)})


def growth(stored: Result, memory: Result) -> str:
    """Cost by sagas stored, and what the orchestrator holds in memory by sagas done."""
    blocks = {
        f"{title}, 64 callers": [
            Bar(f"{cell.stored:,} stored", MEASURES[measure](cell)) for cell in stored.cells if cell.callers == 64
        ]
        for measure, title in GROWTH.items()
    }
    held = [Bar(f"after {cell.stored:,}", cell.rss_mb[ORCHESTRATOR.name]) for cell in memory.cells]
    return draw(blocks | {"memory of the orchestrator, MB": held}, {})


def draw(blocks: Blocks, legend: dict[str, str]) -> str:
    """An SVG of all blocks, each with a scale of its own that begins at zero."""
    lines, y = [], 30
    for title, bars in blocks.items():
        lines.append(_text(10, y, title, "bold"))
        block, y = _block(bars, y + GAP)
        lines += block
        y += 2 * GAP
    for number, (label, colour) in enumerate(legend.items()):
        lines.append(_rectangle(LEFT + 150 * number, y - 12, 12, 12, colour))
        lines.append(_text(LEFT + 150 * number + 18, y - 2, label))
    box = f'viewBox="0 0 {WIDTH} {y + 10}" font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *lines, "</svg>\n"])


def _block(bars: list[Bar], y: int) -> tuple[list[str], int]:
    lines, longest, label = [], max(bar.value for bar in bars) or 1, ""
    for bar in bars:
        if bar.label != label:
            y += GAP // 2 if label else 0
            label = bar.label
            lines.append(_text(10, y + BAR - 3, label))
        width = max(1.0, (WIDTH - LEFT - 90) * bar.value / longest)
        lines.append(_rectangle(LEFT, y, width, BAR - 2, bar.colour))
        lines.append(
            _text(LEFT + width + 6, y + BAR - 4, f"{bar.value:,.0f}" if bar.value >= 1000 else f"{bar.value:.3g}")
        )
        y += BAR
    return lines, y


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-weight="{weight}">{text}</text>'
