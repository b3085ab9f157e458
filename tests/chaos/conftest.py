"""Postgres and Kafka run already (`local --only-infra`); the services are processes of the tests' own."""

import io
import os
import secrets
import sys
from collections.abc import AsyncIterator, Generator
from threading import Lock
from typing import TextIO, cast

import pytest
from rich.console import Console

from tests.chaos.forms import FORM as FORM
from tests.chaos.report import Results
from tests.chaos.system import System, running

WIDTH = 120
IS_TERMINAL = os.isatty(2)
RESULTS = pytest.StashKey[Results]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = Results()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note for the failure matrix what came of a test; a fixture that failed counts too."""
    report = yield
    rows = [row for mark in item.iter_markers("proves") for row in mark.args]
    if rows and (report.when == "call" or report.failed):
        name = item.nodeid.removeprefix("tests/chaos/")
        item.config.stash[RESULTS].add_test(name, rows, report.passed)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[RESULTS].write()


@pytest.fixture
def results(pytestconfig: pytest.Config) -> Results:
    """For docs/failure-matrix.md."""
    return pytestconfig.stash[RESULTS]


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with running() as system:
        yield system


class Uncaptured(io.TextIOBase):
    """Shown at once, while pytest captures what else is printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._alone = Lock()

    def write(self, text: str) -> int:
        with self._alone, self._capsys.disabled():  # a progress bar writes from a thread of its own
            written = sys.stdout.write(text)
            sys.stdout.flush()
        return written


@pytest.fixture
def console(capsys: pytest.CaptureFixture[str]) -> Console:
    """For progress that is seen while the test runs."""
    shown = Console(file=cast(TextIO, Uncaptured(capsys)), force_terminal=IS_TERMINAL, width=WIDTH, highlight=False)
    shown.print()
    return shown


@pytest.fixture
def seed(console: Console) -> int:
    """Of all that is random in a test: CHAOS_SEED, or a new one, which is shown."""
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(2**32))
    console.print(f"CHAOS_SEED={seed}")
    return seed
