"""A saga stays as cheap as it is, by counts; no timing is looked at."""

import pytest

from bench.cell import Cell
from bench.gate import LIMITS, SAGAS, Limit


def test_every_saga_ended_and_none_was_sent_by_the_sweep(cell: Cell) -> None:
    assert not cell.errors
    assert cell.sagas >= SAGAS
    assert cell.swept == 0


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_saga_costs_no_more_than(limit: Limit, cell: Cell) -> None:
    assert not limit.broken_by(cell), f"{limit.name}: {limit.figure(cell):.3g}, but {limit} (bench/gate.py)"
