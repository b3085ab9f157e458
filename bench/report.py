"""Results as tables, as JSON, and side by side."""

import json
import platform
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.cell import REQUESTS, Cell, of

NOISY_CORES = 0.2


@dataclass
class Result:
    """The cells of one system in one session."""

    label: str
    cells: list[Cell] = field(default_factory=list)
    machine: dict[str, str] = field(default_factory=lambda: _machine())

    @property
    def faults(self) -> list[str]:
        return [f"{name(cell)}: {error}" for cell in self.cells for error in cell.errors]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))

    @staticmethod
    def read(path: Path) -> "Result":
        found = json.loads(path.read_text())
        return Result(**{**found, "cells": [Cell(**cell) for cell in found["cells"]]})


def _machine() -> dict[str, str]:
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    cores = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GB"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"commit": commit, "python": platform.python_version(), "machine": cores, "at": at}


def name(cell: Cell) -> str:
    kind = " mixed" if cell.mixed else ""
    return f"{cell.rate:g}/s open{kind}" if cell.rate else f"{cell.callers}{kind}"


MEASURES: dict[str, Callable[[Cell], float]] = {
    "sagas/s": lambda cell: cell.per_second,
    "p50 ms": lambda cell: cell.latency_ms["p50"],
    "p90 ms": lambda cell: cell.latency_ms["p90"],
    "p99 ms": lambda cell: cell.latency_ms["p99"],
    "max ms": lambda cell: cell.latency_ms["max"],
    "CPU ms": lambda cell: cell.cpu_total,
    "services": lambda cell: of(cell.cpu_ms, "-service", "-orchestrator"),
    "postgres": lambda cell: of(cell.cpu_ms, "-db"),
    "kafka": lambda cell: of(cell.cpu_ms, "kafka"),
    "load": lambda cell: of(cell.cpu_ms, "load"),
    "commits": lambda cell: sum(cell.commits.values()),
    "SQL": lambda cell: sum(cell.statements.values()),
    "fsyncs": lambda cell: sum(cell.fsyncs.values()),
    "WAL kB": lambda cell: sum(cell.wal_bytes.values()) / 1000,
    "Kafka requests": lambda cell: cell.kafka_requests,
    "Kafka kB": lambda cell: cell.kafka.get("BytesIn", 0) / 1000,
    "RSS MB": lambda cell: of(cell.rss_mb, "-service", "-orchestrator"),
    "other cores": lambda cell: cell.other_cores,
}


def show(console: Console, result: Result) -> None:
    table = Table("callers", title=f"{result.label}, {result.machine['commit']}; CPU, commits … are per saga")
    for measure in MEASURES:
        table.add_column(measure, justify="right")
    for cell in result.cells:
        table.add_row(name(cell), *(f"{measure(cell):.4g}" for measure in MEASURES.values()))
    console.print(table)
    for cell in result.cells:
        console.print(f"[bold]{name(cell)}[/] answers {cell.statuses}, swept {cell.swept:g}, load {cell.load_average}")
        for title, parts, digits in (
            ("CPU ms", cell.cpu_ms, 3),
            ("commits", cell.commits, 3),
            ("statements", cell.statements, 2),
            ("messages a batch", cell.batch_size, 1),
            ("Kafka requests", {name: cell.kafka.get(name, 0) for name in REQUESTS}, 3),
            ("RSS MB", cell.rss_mb, 0),
        ):
            if parts:
                console.print(f"  {title}: " + ", ".join(f"{part} {value:.{digits}f}" for part, value in parts.items()))
        if cell.other_cores > NOISY_CORES:
            console.print(f"  [yellow]noisy: others used {cell.other_cores:.2f} cores meanwhile[/]")
    for fault in result.faults:
        console.print(f"[bold red]invalid: {fault}[/]")


def median(cells: list[Cell], measure: str) -> float:
    """Of several rounds; for a single one it is that one."""
    return statistics.median(MEASURES[measure](cell) for cell in cells)


def by_name(result: Result) -> dict[str, list[Cell]]:
    rounds: dict[str, list[Cell]] = {}
    for cell in result.cells:
        rounds.setdefault(name(cell), []).append(cell)
    return rounds


def compare(console: Console, ours: Result, theirs: Result) -> None:
    """Side by side, with the ratio ours / theirs; of several rounds the median."""
    others = by_name(theirs)
    for cell_name, cells in by_name(ours).items():
        if other := others.get(cell_name):
            title = f"{cell_name} callers, median of {len(cells)} and {len(other)}"
            labels = [f"{result.label} {result.machine['commit']}" for result in (ours, theirs)]
            table = Table("", *labels, "ratio", title=title)
            for measure in MEASURES:
                a, b = median(cells, measure), median(other, measure)
                table.add_row(measure, f"{a:.4g}", f"{b:.4g}", f"{a / b:.3g}" if b else "")
            console.print(table)


def show_targets(console: Console, ours: Result, textbook: Result) -> None:
    """The targets of docs/performance.md; figures to look at, never a reason to fail."""
    mine, theirs = by_name(ours), by_name(textbook)

    def ratio(callers: str, measure: str) -> float:
        return median(mine[callers], measure) / max(median(theirs[callers], measure), 1e-9)

    rows = [
        ("sagas/s at 64, ratio", ratio("64", "sagas/s"), "≥", 8),
        ("sagas/s at 16, ratio", ratio("16", "sagas/s"), "≥", 3),
        ("p50 at 1, ratio", ratio("1", "p50 ms"), "≤", 1 / 8),
        ("CPU per saga at 64, ratio", ratio("64", "CPU ms"), "≤", 0.15),
        ("commits per saga at 64", median(mine["64"], "commits"), "≤", 0.6),
        ("commits per saga at 1", median(mine["1"], "commits"), "≤", 9),
        ("p99 / p50 at 64", median(mine["64"], "p99 ms") / median(mine["64"], "p50 ms"), "≤", 2.5),
    ]
    table = Table("", "measured", "target", "", title="Targets")
    for what, value, sign, target in rows:
        met = value >= target if sign == "≥" else value <= target
        table.add_row(what, f"{value:.3g}", f"{sign} {target:g}", "[green]met[/]" if met else "[red]not met[/]")
    console.print(table)
