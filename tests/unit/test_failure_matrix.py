"""Every row of the failure matrix has a test that proves it, and no test claims to prove another."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

from chassis.crash import CrashPoint
from tests.chaos.combinations import everywhere, once
from tests.chaos.matrix import ROWS

ROOT = Path(__file__).parents[2]
OF_AN_OPERATOR = {"redrive.sent"}
"""Not of a service: tests/ops dies there."""
COLLECT = """
import json, sys, pytest

class Rows:
    def pytest_collection_modifyitems(self, items):
        rows = {row for item in items for mark in item.iter_markers("proves") for row in mark.args}
        print(json.dumps(sorted(rows)))

sys.exit(pytest.main(["--collect-only", "-q", "tests/chaos"], plugins=[Rows()]))
"""


def proven(form: str) -> set[str]:
    """The rows that the collected tests name with `@pytest.mark.proves`."""
    environment = os.environ | {"CHAOS": form}
    done = subprocess.run([sys.executable, "-c", COLLECT], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(next(line for line in done.stdout.splitlines() if line.startswith("["))))


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    named = proven("whole")
    assert ROWS.keys() - named == set(), "no test proves these rows"
    assert named - ROWS.keys() == set(), "there are no such rows"


def test_the_sweep_comes_to_every_crash_point() -> None:
    of_services = set(get_args(CrashPoint)) - OF_AN_OPERATOR
    assert {combination.point for combination in once()} == of_services
    assert {combination.point for combination in everywhere()} == of_services
