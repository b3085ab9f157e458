"""The line at the end of `make test`."""

from pathlib import Path

import pytest

from tests.support.tally import RUNS, summary

ROOT = Path(__file__).parents[2]


def run(name: str, failed: tuple[str, ...] = ()) -> dict[str, object]:
    return {"name": name, "passed": 10, "skipped": 0, "failed": list(failed), "seconds": 70.0}


def test_it_sums_up_all_runs() -> None:
    line = summary([run(name) for name in RUNS], 125)
    assert line.startswith(f"make test: {10 * len(RUNS)} passed, 0 failed in 2 min 5 s (tests/unit: 10 in 1 min 10 s; ")
    assert "\n" not in line
    assert "not run" not in line


def test_it_names_what_failed_and_what_did_not_run() -> None:
    line = summary([run("tests/unit", ("tests/unit/test_x.py::test_y",))], 70)
    assert line.startswith("make test: 10 passed, 1 failed in 1 min 10 s")
    assert "; failed: tests/unit/test_x.py::test_y; not run to the end: tests/integration tests/audit, " in line


@pytest.mark.parametrize("name", RUNS)
def test_make_test_runs_it(name: str) -> None:
    made = (ROOT / "Makefile").read_text()
    for word in name.replace("textbook", "$$variant").replace("floor", "$$variant").split():
        assert word in made
