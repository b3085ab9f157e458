"""How long a command may stay unanswered, and what becomes of the saga that waits for it."""

from datetime import timedelta
from uuid import UUID

import pytest

from chassis.messages import Message
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import LONGEST_WAIT_SECONDS
from saga_orchestrator.messages import InventoryFailed, OrderCreated, PaymentCharged, PaymentFailed
from saga_orchestrator.saga import JITTER, decide
from tests.unit.runs import AGREED, NOW, START, Run, begin, reached, reply

CHARGED = (OrderCreated, PaymentCharged)


def test_each_try_waits_longer_than_the_one_before_up_to_half_a_minute() -> None:
    waits = [CHECKOUT.steps[0].wait(attempt) for attempt in range(1, 100)]
    assert waits == sorted(waits)
    assert waits[1] == 2 * waits[0]
    assert waits[-1] == timedelta(seconds=LONGEST_WAIT_SECONDS)


@pytest.mark.parametrize("scale", [0.01, 3])
def test_a_scale_stretches_every_wait(scale: float) -> None:
    for own, scaled in zip(CHECKOUT.steps, CHECKOUT.scaled(scale).steps, strict=True):
        for attempt in (1, 2, 3, 50):
            assert scaled.wait(attempt) / own.wait(attempt) == pytest.approx(scale)


def test_the_deadline_of_each_try_is_its_own_wait_from_now_and_a_little_more_or_less() -> None:
    run, now = begin(), NOW
    for attempt in range(1, CHECKOUT.steps[0].tries + 1):
        assert run.saga.attempt == attempt
        assert run.saga.deadline is not None
        assert abs((run.saga.deadline - now) / CHECKOUT.steps[0].wait(attempt) - 1) <= JITTER / 2
        now = run.next_at
        run = run.on(run.timed_out)


def test_sagas_that_began_together_do_not_come_back_together() -> None:
    commands = [UUID(int=number) for number in range(0, 1000, 100)]
    assert len({decide(CHECKOUT, None, Message.new(START), NOW, each).saga.deadline for each in commands}) == 10


@pytest.mark.parametrize(
    ("run", "step", "command"),
    [
        (reached(), "ORDER_TIMED_OUT", "CancelOrder"),
        (reached(OrderCreated), "PAYMENT_TIMED_OUT", "RefundPayment"),
        (reached(*CHARGED), "INVENTORY_TIMED_OUT", "ReleaseInventory"),
    ],
)
def test_a_step_whose_outcome_stays_unknown_is_undone_itself(run: Run, step: str, command: str) -> None:
    after = run.unanswered()
    assert (after.saga.step, after.state, after.saga.needs_attention) == (step, command, None)
    assert run.state in str(after.saga.reason)


@pytest.mark.parametrize(
    "run",
    [
        reached(*AGREED[:-1]),
        reached(*CHARGED, InventoryFailed),
        reached(OrderCreated, PaymentFailed),
        reached(*CHARGED).unanswered(),
    ],
    ids=lambda run: run.state,
)
def test_where_there_is_no_way_back_the_command_is_sent_for_ever_and_somebody_is_called(run: Run) -> None:
    stuck = run.unanswered()
    for _ in range(20):
        stuck = stuck.on(stuck.timed_out)
    assert (stuck.state, stuck.sent.id) == (run.state, run.sent.id)
    assert run.state in str(stuck.saga.needs_attention)


def test_a_late_reply_to_a_command_that_was_given_up_does_not_stop_its_undo() -> None:
    run = reached(OrderCreated)
    undoing = run.unanswered()
    after = undoing.on(reply(PaymentCharged), run.sent.id)
    assert (after.state, after.log[-1].kind) == ("RefundPayment", "LATE")
