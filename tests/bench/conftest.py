"""One measurement for all tests of this folder."""

import asyncio

import pytest

from bench import gate
from bench.cell import Cell
from local.instance import Instance
from tests.support.stack import OFFSET


@pytest.fixture(scope="session")
def cell() -> Cell:
    """What a saga costs at 64 callers, after a warm-up; the stack must be measured (`local --measured`)."""
    (cell,) = asyncio.run(gate.several(Instance(port_offset=OFFSET), runs=1)).cells
    return cell
