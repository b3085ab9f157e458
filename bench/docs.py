"""Puts the last results between the markers of docs/performance.md and docs/scaling.md, and draws their pictures.

A section whose results are not there stays as it is.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench import charts, needs, rounds, scaling, tables
from bench.report import Result
from local.instance import ROOT

PAGES = ("performance.md", "scaling.md")
Lines = Iterable[str]


def write(folder: Path, docs: Path = ROOT / "docs") -> Iterator[str]:
    """What has been written, by name."""
    found = dict(_sections(folder))
    for page in PAGES:
        text = (docs / page).read_text()
        for name, lines in found.items():
            if begin(name) in text:
                text = filled(text, name, lines)
                yield f"{page}: {name}"
        (docs / page).write_text(text)
    for picture, draw, names in PICTURES:
        if results := _read(folder, *names):
            (docs / picture).write_text(draw(*results))
            yield picture


def filled(text: str, name: str, lines: Lines) -> str:
    """The text with what is between these markers replaced."""
    before, _, rest = text.partition(begin(name))
    _, _, after = rest.partition(end(name))
    return "\n".join([before + begin(name), "", *lines, "", end(name) + after])


def begin(name: str) -> str:
    return f"<!-- measured: {name}, by `make bench-docs`: begin -->"


def end(name: str) -> str:
    return f"<!-- measured: {name}: end -->"


SECTIONS: dict[str, tuple[Callable[..., Lines], tuple[str, ...]]] = {
    "textbook": (tables.versus, ("this", "textbook")),
    "floor": (tables.floor, ("floor", "this", "textbook")),
    "levers": (tables.levers, tuple(rounds.LEVERS)),
    "budget": (tables.budget, ("this",)),
    "cells": (tables.cells, ("result",)),
    "gate": (tables.spread, ("gate",)),
    "growth": (tables.growth, ("growth",)),
    "memory": (tables.memory, ("memory",)),
    "replicas": (tables.replicas, ("replicas",)),
}
PICTURES: tuple[tuple[str, Callable[..., str], tuple[str, ...]], ...] = (
    ("performance.svg", lambda *results: charts.versus(results), ("this", "textbook")),
    ("growth.svg", charts.growth, ("growth", "memory")),
)


def _sections(folder: Path) -> Iterator[tuple[str, Lines]]:
    for name, (draw, names) in SECTIONS.items():
        if results := _read(folder, *names):
            yield name, draw(*results)
    if (path := folder / "recovery.json").exists():
        yield "recovery", tables.recovery(json.loads(path.read_text()))
    if _read(folder, "result", "growth"):
        measured = scaling.read(folder / "result.json", folder / "growth.json")
        yield "inputs", needs.inputs(measured)
        yield "needs", needs.needed(measured)


def _read(folder: Path, *names: str) -> list[Result]:
    """All of these results, or none."""
    paths = [folder / f"{name}.json" for name in names]
    return [Result.read(path) for path in paths] if all(path.exists() for path in paths) else []
