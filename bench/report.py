"""Results, as tables and as JSON."""

import json
import platform
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
    machine: dict[str, str] = field(default_factory=lambda: machine())

    @property
    def faults(self) -> list[str]:
        return [f"{cell.name}: {error}" for cell in self.cells for error in cell.errors]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))

    @staticmethod
    def read(path: Path) -> "Result":
        found = json.loads(path.read_text())
        return Result(**{**found, "cells": [Cell(**cell) for cell in found["cells"]]})


def machine() -> dict[str, str]:
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    cores = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GB"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"commit": commit, "python": platform.python_version(), "machine": cores, "at": at}


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
    "rollbacks": lambda cell: sum(cell.rollbacks.values()),
    "SQL": lambda cell: sum(cell.statements.values()),
    "fsyncs": lambda cell: sum(cell.fsyncs.values()),
    "page images": lambda cell: sum(cell.page_images.values()),
    "WAL kB": lambda cell: sum(cell.wal_bytes.values()) / 1000,
    "Kafka requests": lambda cell: cell.kafka_requests,
    "Kafka kB": lambda cell: cell.kafka.get("BytesIn", 0) / 1000,
    "RSS MB": lambda cell: of(cell.rss_mb, "-service", "-orchestrator"),
    "other cores": lambda cell: cell.other_cores,
}
"""From "CPU ms" to "Kafka kB" all are per saga."""


def show(console: Console, result: Result) -> None:
    table = Table("callers", title=f"{result.label}, {result.machine['commit']}; CPU, commits … are per saga")
    for measure in MEASURES:
        table.add_column(measure, justify="right")
    for cell in result.cells:
        table.add_row(cell.name, *(f"{measure(cell):.4g}" for measure in MEASURES.values()))
    console.print(table)
    for cell in result.cells:
        _show_parts(console, cell)
    for fault in result.faults:
        console.print(f"[bold red]invalid: {fault}[/]")


def _show_parts(console: Console, cell: Cell) -> None:
    console.print(f"[bold]{cell.name}[/] answers {cell.statuses}, swept {cell.swept:g}, load {cell.load_average:.1f}")
    for title, parts, digits in (
        ("CPU ms", cell.cpu_ms, 3),
        ("commits", cell.commits, 3),
        ("statements", cell.statements, 2),
        ("messages a batch", cell.batch_size, 1),
        ("Kafka requests", {name: cell.kafka[name] for name in REQUESTS if name in cell.kafka}, 3),
        ("RSS MB", cell.rss_mb, 0),
    ):
        if parts:
            console.print(f"  {title}: " + ", ".join(f"{part} {value:.{digits}f}" for part, value in parts.items()))
    if cell.other_cores > NOISY_CORES:
        console.print(f"  [yellow]noisy: others used {cell.other_cores:.2f} cores meanwhile[/]")
