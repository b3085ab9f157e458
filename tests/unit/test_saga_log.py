"""The log tells the whole story: folding `decide` over what was received gives the stored saga again."""

import pytest

from saga_orchestrator.instance import Kind
from tests.unit.runs import Run, reachable, replay

RUNS = reachable()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.state}-{run.saga.step}-{run.saga.attempt}")
def test_the_log_replays_to_the_saga(run: Run) -> None:
    assert replay(run.log) == run.saga


def test_the_log_has_no_gap_and_a_terminal_saga_has_sent_nothing_since() -> None:
    for run in RUNS:
        assert [entry.seq for entry in run.log] == list(range(1, run.saga.seq + 1))
        assert (run.log[-1].kind is Kind.SENT) == (run.state not in ("COMPLETED", "FAILED"))
