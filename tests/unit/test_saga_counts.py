"""Every saga that ends is counted once, with the batch that ends it."""

from prometheus_client import REGISTRY

from saga_orchestrator.handlers import Checkout, note
from saga_orchestrator.instance import Kind
from saga_orchestrator.messages import PaymentCharged
from tests.unit.runs import Run, reachable, reply


def counted() -> float:
    return REGISTRY.get_sample_value("sagas_ended_total", {"status": "COMPLETED", "step": "ORDER_CONFIRMED"}) or 0


def completed_and_told_more() -> Run:
    """A saga that has ended, and a message too late to count."""
    completed = next(run for run in reachable() if run.saga.step == "ORDER_CONFIRMED")
    late = completed.on(reply(PaymentCharged))
    assert late.log[-1].kind is Kind.LATE
    return late


def test_an_end_is_counted_though_a_late_message_came_with_it() -> None:
    run, before = completed_and_told_more(), counted()
    note([Checkout(run.saga, run.log)])
    assert counted() == before + 1


def test_a_late_message_alone_counts_no_end() -> None:
    run, before = completed_and_told_more(), counted()
    note([Checkout(run.saga, run.log[-1:])])
    assert counted() == before
