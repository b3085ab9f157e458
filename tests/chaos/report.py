"""docs/failure-matrix.md, written from what the tests have seen.

Results are kept in .local until `make chaos` begins anew, so that a run of one file adds to what others have shown. A
short run writes nothing: it sees less.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.report import machine
from local.instance import STATE
from tests.chaos.combinations import Combination
from tests.chaos.forms import FORM, Form
from tests.chaos.matrix import PLAIN, TABLES, Fault

MATRIX = Path(__file__).parents[2] / "docs" / "failure-matrix.md"
RESULTS = STATE / "failure-matrix.json"
HEADINGS = ("service", "crash point", "message", "scenario", "hit", "recovered in (s)")
SUMMARY = ("service", "crash point", "killed", "not reached", "slowest recovery (s)")
Row = Sequence[str]


@dataclass(frozen=True)
class Crash:
    """What became of one combination; None: its crash point was not hit."""

    combination: Combination
    recovered_in: float | None

    @property
    def row(self) -> tuple[str, ...]:
        """As a line of the table."""
        c = self.combination
        seconds = "" if self.recovered_in is None else f"{self.recovered_in:.1f}"
        return c.service.name, c.point, c.type or "–", c.scenario.name, "yes" if seconds else "NO", seconds


def table(crashes: Iterable[Crash]) -> Table:
    """For the terminal."""
    shown = Table(*HEADINGS, title="the sweep over the crash points")
    for crash in crashes:
        shown.add_row(*crash.row, style=None if crash.recovered_in is not None else "bold red")
    return shown


class Results:
    """What this run and those before it have shown: tests with the rows that they prove, and crashes."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self.crashes: dict[str, list[str]] = {}

    def add_test(self, name: str, rows: Iterable[str], passed: bool) -> None:
        """A test that ran, with its parameters."""
        self.tests[name] = {"rows": sorted(rows), "passed": passed}

    def add_crashes(self, crashes: Iterable[Crash]) -> None:
        """What the sweep saw."""
        self.crashes |= {" ".join(crash.row[:4]): list(crash.row) for crash in crashes}

    def write(self) -> None:
        """Add all to what was known, and write the page; a short run, or one in which nothing ran, does not."""
        if FORM is Form.SHORT or not self.tests:
            return
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"tests": {}, "crashes": {}}
        known = {
            "tests": known["tests"] | self.tests,
            "crashes": known["crashes"] | self.crashes,
            "commits": sorted({*known.get("commits", ()), machine()["commit"]}),
        }
        RESULTS.write_text(json.dumps(known))
        MATRIX.write_text("\n".join(_page(known["tests"], known["crashes"].values(), known["commits"])) + "\n")


def _page(tests: Mapping[str, Any], crashes: Collection[Row], commits: Iterable[str]) -> list[str]:
    return [
        "# Failure matrix",
        "",
        f"Written by `make chaos` at commit {', '.join(commits)}.",
        "",
        "The rows are declared in `tests/chaos/matrix.py`; a test names those that it proves",
        "with `@pytest.mark.proves`. Passed means that the test passed: where it runs checkouts, every",
        "saga ended and the four databases agreed; of a seeded bug, the auditor said so.",
        *(line for title, rows in TABLES.items() for line in _table(title, rows, tests)),
        "",
        "## The sweep",
        "",
        "Each process is killed by SIGKILL at each crash point, with each message that passes there, in each scenario",
        "in which it does, and started again. Recovered: the saga has come to the next place at which the process was",
        "to die, or has ended and the process is ready. In the end the four databases agree.",
        "",
        *_markdown(SUMMARY, _summary(crashes)),
        "",
        "<details><summary>Every one of them</summary>",
        "",
        *_markdown(HEADINGS, crashes),
        "",
        "</details>",
    ]


def _summary(crashes: Iterable[Row]) -> Iterator[Row]:
    """By service and crash point: how many deaths, how many that did not come, and the slowest recovery."""
    by_place: dict[tuple[str, str], list[str]] = {}
    for service, point, _, _, _, seconds in crashes:
        by_place.setdefault((service, point), []).append(seconds)
    for place, recoveries in by_place.items():
        hit = [float(each) for each in recoveries if each]
        yield *place, str(len(hit)), str(len(recoveries) - len(hit)), f"{max(hit, default=0):.1f}"


def _markdown(headings: Row, rows: Iterable[Row]) -> Iterator[str]:
    for cells in (headings, ["---"] * len(headings), *rows):
        yield f"| {' | '.join(cells)} |"


def _table(title: str, rows: Mapping[str, Fault], tests: Mapping[str, Any]) -> list[str]:
    second = "what the demo did (measured once)" if rows is PLAIN else "cure"
    return [
        *("", f"## {title}", "", f"| row | fault | {second} | proven by | passed |", "| --- | --- | --- | --- | --- |"),
        *(_line(row, fault, tests) for row, fault in rows.items()),
    ]


def _line(row: str, fault: Fault, tests: Mapping[str, Any]) -> str:
    proofs = {name: result["passed"] for name, result in tests.items() if row in result["rows"]}
    functions = sorted({name.partition("[")[0] for name in proofs})
    named = "<br>".join(f"`{function}`" for function in functions) or "did not run"
    passed = ("yes" if all(proofs.values()) else "NO") if proofs else "–"
    return f"| {row} | {fault.what} | {fault.cure} | {named} | {passed} |"
