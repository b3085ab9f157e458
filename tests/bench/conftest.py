"""One measurement for all tests of this folder."""

import asyncio

import pytest

from bench import gate
from bench.cell import Cell
from bench.measure import measure
from local.instance import Instance
from tests.support.stack import OFFSET


@pytest.fixture(scope="session")
def cell() -> Cell:
    """What a saga costs at 64 callers, after a warm-up; the stack must be measured (`local --measured`)."""
    instance = Instance(port_offset=OFFSET)
    warm_up, measured = gate.plans(instance)
    asyncio.run(measure(instance, warm_up))
    return asyncio.run(measure(instance, measured))
