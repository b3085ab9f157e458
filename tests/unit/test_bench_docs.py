"""The figures in docs/ come out of results by one command."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import docs
from bench.cell import Cell
from bench.needs import needed
from bench.recovery import Recovery
from bench.report import Result
from bench.rounds import LEVERS
from bench.scaling import Inputs
from local.instance import ROOT, SERVICES
from tests.unit.measured import CELL, RESULT

SOME = [replace(CELL, callers=callers) for callers in (1, 16, 64)]
CELLS: dict[str, list[Cell]] = {
    "this": SOME * 3,
    "textbook": SOME * 3,
    "floor": SOME[:1] * 3,
    **dict.fromkeys(LEVERS, SOME * 3),
    "result": [*SOME, replace(CELL, mixed=True), replace(CELL, callers=200, rate=100)],
    "gate": [CELL] * 10,
    "growth": [replace(CELL, stored=stored, stored_bytes={"order_db": 500}) for stored in (1_000, 100_000)],
    "memory": [replace(CELL, stored=stored) for stored in (1_000, 2_000)],
    "replicas": [replace(CELL, replicas=replicas) for replicas in (1, 2, 4)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a result of every kind."""
    for name, cells in CELLS.items():
        Result(name, cells, RESULT.machine).write(tmp_path / f"{name}.json")
    found = Recovery(1_000, {s.name: 2 for s in SERVICES}, 5, 10, 60, newcomers=CELL, machine=RESULT.machine)
    (tmp_path / "recovery.json").write_text(json.dumps(asdict(found)))
    return tmp_path


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A copy of the pages that are filled."""
    pages = tmp_path / "docs"
    pages.mkdir()
    for page in docs.PAGES:
        shutil.copy(ROOT / "docs" / page, pages)
    return pages


def test_every_section_and_picture_of_the_pages_is_filled_from_the_results(folder: Path, pages: Path) -> None:
    written = set(docs.write(folder, pages))

    text = "".join((pages / page).read_text() for page in docs.PAGES)
    marked = text.count("<!-- measured: ") // 2
    assert marked == len(written) - len(docs.PICTURES) == len(docs.SECTIONS) + 3
    assert text.count("Commit abc, 2026-11-25T12:00") >= 8
    assert "Not measured yet." not in text
    for picture, *_ in docs.PICTURES:
        assert ElementTree.parse(pages / picture).getroot().tag.endswith("svg")


def test_pages_stay_as_they_are_where_nothing_was_measured(pages: Path, tmp_path: Path) -> None:
    before = {page: (pages / page).read_text() for page in docs.PAGES}

    assert not list(docs.write(tmp_path / "nowhere", pages))
    assert {page: (pages / page).read_text() for page in docs.PAGES} == before


def test_a_section_of_a_page_is_replaced_and_the_rest_stays() -> None:
    page = f"before\n{docs.begin('needs')}\nold\n{docs.end('needs')}\nafter\n"

    filled = docs.filled(page, "needs", needed(Inputs(RESULT, CELL, {})))

    assert filled.startswith("before\n")
    assert filled.endswith("\nafter\n")
    assert "old" not in filled
    assert "| saga-orchestrator, replicas | 1 | 10 | 100 |" in filled
    assert docs.filled(filled, "needs", needed(Inputs(RESULT, CELL, {}))) == filled
