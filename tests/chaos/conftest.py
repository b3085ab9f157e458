"""Postgres and Kafka run already (`local --only infra`); the services are processes of the tests' own."""

import os
import secrets
from collections.abc import AsyncIterator
from typing import TextIO, cast

import pytest
from rich.console import Console

from tests.chaos.system import System, running

FORM = os.environ.get("CHAOS", "short")
"""short in `make test`; whole in `make chaos`; long in `make chaos LONG=1`."""

WIDTH = 120


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with running() as system:
        yield system


@pytest.fixture
def console(pytestconfig: pytest.Config) -> Console:
    """For progress that is seen while the test runs: it goes past pytest's capturing."""
    writer = pytestconfig.get_terminal_writer()
    writer.line()
    return Console(file=cast(TextIO, writer), force_terminal=writer.hasmarkup, width=WIDTH, highlight=False)


@pytest.fixture
def seed(console: Console) -> int:
    """Of all that is random in a test: CHAOS_SEED, or a new one, which is shown."""
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(2**32))
    console.print(f"CHAOS_SEED={seed}")
    return seed
