"""The log tells the whole story: folding `decide` over what was received gives the stored saga again."""

from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.handlers import Checkout, note
from saga_orchestrator.instance import Kind, LogEntry, SagaInstance
from saga_orchestrator.messages import PaymentCharged
from saga_orchestrator.saga import decide
from tests.unit.runs import Run, reachable, reply

RUNS = reachable()


def replay(log: tuple[LogEntry, ...]) -> SagaInstance | None:
    """The saga that this log tells of."""
    saga = None
    for entry, following in zip(log, (*log[1:], None), strict=True):
        if entry.kind is not Kind.SENT:
            sent = following.message.id if following and following.kind is Kind.SENT else UUID(int=0)
            saga = decide(CHECKOUT, saga, entry.message, entry.at, sent).saga
    return saga


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.state}-{run.saga.step}-{run.saga.attempt}")
def test_the_log_replays_to_the_saga(run: Run) -> None:
    assert replay(run.log) == run.saga


def test_the_log_has_no_gap_and_a_terminal_saga_has_sent_nothing_since() -> None:
    for run in RUNS:
        assert [entry.seq for entry in run.log] == list(range(1, run.saga.seq + 1))
        assert (run.log[-1].kind is Kind.SENT) == (run.state not in ("COMPLETED", "FAILED"))


def test_an_end_is_counted_though_a_late_message_came_with_it() -> None:
    completed = next(run for run in RUNS if run.saga.step == "ORDER_CONFIRMED")
    late = completed.on(reply(PaymentCharged))
    assert late.log[-1].kind is Kind.LATE
    before = counted()
    note([Checkout(late.saga, late.log)])
    assert counted() == before + 1


def counted() -> float:
    return REGISTRY.get_sample_value("sagas_ended_total", {"status": "COMPLETED", "step": "ORDER_CONFIRMED"}) or 0
