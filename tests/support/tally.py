"""What `make test` says at its end: each run of pytest leaves a line in the file TALLY, and all of them become one."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

RUNS = (
    "tests/unit",
    "tests/integration tests/audit",
    "tests/bench",
    "tests/variants/test_textbook.py",
    "tests/variants/test_floor.py",
    "tests/ops tests/e2e",
    "tests/chaos",
    "tests/browser",
)
"""Of `make test`, by what each is told to run."""
BEGAN = time.monotonic()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """This module is a plugin of pytest too."""
    if config.option.collectonly or hasattr(config, "workerinput") or not os.environ.get("TALLY"):
        return
    outcomes = terminalreporter.stats
    run = {
        "name": " ".join(config.args),
        "passed": len(outcomes.get("passed", [])),
        "skipped": len(outcomes.get("skipped", [])),
        "failed": sorted({report.nodeid for kind in ("failed", "error") for report in outcomes.get(kind, [])}),
        "seconds": time.monotonic() - BEGAN,
    }
    with Path(os.environ["TALLY"]).open("a") as file:
        file.write(f"{json.dumps(run)}\n")


def summary(runs: list[dict[str, Any]], seconds: float) -> str:
    """One line about all runs, those that were not begun or did not come to their end included."""
    passed, skipped = (sum(run[kind] for run in runs) for kind in ("passed", "skipped"))
    failed = [name for run in runs for name in run["failed"]]
    missing = [name for name in RUNS if name not in {run["name"] for run in runs}]
    return "".join(
        (
            f"make test: {passed} passed, {len(failed)} failed",
            f", {skipped} skipped" if skipped else "",
            f" in {_minutes(seconds)} (",
            "; ".join(f"{run['name']}: {run['passed']} in {_minutes(run['seconds'])}" for run in runs),
            ")",
            f"; failed: {', '.join(failed)}" if failed else "",
            f"; not run to the end: {', '.join(missing)}" if missing else "",
        )
    )


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def main(seconds: str) -> None:
    """Print the summary of what is in TALLY."""
    file = Path(os.environ["TALLY"])
    lines = file.read_text().splitlines() if file.exists() else []
    print(summary([json.loads(line) for line in lines], float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
