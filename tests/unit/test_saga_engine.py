"""Every message in every reachable state of the checkout, against a table that a person can check."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from chassis.messages import Body, Message
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga, label_of
from saga_orchestrator.instance import Cancel, Resolve, Retry, TimedOut
from saga_orchestrator.messages import READS, InventoryFailed, PaymentFailed
from saga_orchestrator.saga import Contradiction, IllegalTransition, UnknownSaga, decide
from tests.unit.runs import (
    FIELDS,
    NOW,
    REPLIES,
    SAGA,
    START,
    STRANGER,
    Run,
    begin,
    reachable,
    reply,
    unchanged_but_for_the_log,
)

ANSWERS = {
    "CreateOrder": {"OrderCreated": "ChargePayment", "OrderRejected": "FAILED"},
    "ChargePayment": {"PaymentCharged": "ReserveInventory", "PaymentFailed": "CancelOrder"},
    "ReserveInventory": {"InventoryReserved": "ConfirmOrder", "InventoryFailed": "RefundPayment"},
    "ConfirmOrder": {"OrderConfirmed": "COMPLETED"},
    "ReleaseInventory": {"InventoryReleased": "RefundPayment"},
    "RefundPayment": {"PaymentRefunded": "CancelOrder"},
    "CancelOrder": {"OrderCancelled": "FAILED"},
    "COMPLETED": {},
    "FAILED": {},
}
GIVEN_UP = {
    "CreateOrder": "CancelOrder",
    "ChargePayment": "RefundPayment",
    "ReserveInventory": "ReleaseInventory",
}
ENDED = ("COMPLETED", "FAILED")
RUNS = reachable()


def runs(*states: str) -> list[Run]:
    found = [run for run in RUNS if run.state in states]
    assert found
    return found


def test_the_table_has_every_state_that_can_be_reached() -> None:
    assert {run.state for run in RUNS} == set(ANSWERS)


@pytest.mark.parametrize("kind", REPLIES)
@pytest.mark.parametrize("state", ANSWERS)
def test_a_reply_leads_where_the_table_says_and_any_other_is_late(state: str, kind: type[Body]) -> None:
    for run in runs(state):
        for causation_id in (run.saga.awaiting, None):
            after = run.on(reply(kind), causation_id)
            if kind.__name__ in ANSWERS[state]:
                assert after.state == ANSWERS[state][kind.__name__]
                assert after.saga.needs_attention is None
            else:
                assert unchanged_but_for_the_log(run, after)


@pytest.mark.parametrize("kind", REPLIES)
@pytest.mark.parametrize("state", ANSWERS)
def test_a_reply_to_a_command_that_is_not_awaited_is_late(state: str, kind: type[Body]) -> None:
    for run in runs(state):
        assert unchanged_but_for_the_log(run, run.on(reply(kind), STRANGER))


@pytest.mark.parametrize("state", ANSWERS)
def test_a_deadline_that_has_passed_sends_again_then_gives_up_or_calls_for_help(state: str) -> None:
    for run in runs(state):
        if state in ENDED:
            timed_out = TimedOut(saga_id=SAGA, awaiting=uuid4(), attempt=1)
            assert run.on(timed_out) == run
            continue
        after = run.on(run.timed_out)
        last_try = run.saga.attempt >= CHECKOUT.steps[run.saga.position].tries
        if last_try and state in GIVEN_UP:
            assert after.state == GIVEN_UP[state]
        else:
            assert (after.sent.id, after.sent.body) == (run.sent.id, run.sent.body)
            assert after.saga.attempt == run.saga.attempt + 1
            assert (after.saga.needs_attention is not None) == last_try


@pytest.mark.parametrize("state", ANSWERS)
def test_a_deadline_of_another_attempt_or_command_changes_nothing(state: str) -> None:
    for run in runs(state):
        for attempt in {0, 1, run.saga.attempt - 1, run.saga.attempt + 1} - {run.saga.attempt}:
            timed_out = TimedOut(saga_id=SAGA, awaiting=run.sent.id, attempt=attempt)
            assert run.on(timed_out) == run
        timed_out = TimedOut(saga_id=SAGA, awaiting=STRANGER, attempt=run.saga.attempt)
        assert run.on(timed_out) == run


@pytest.mark.parametrize("state", ANSWERS)
def test_a_cancel_undoes_what_is_awaited_or_is_refused(state: str) -> None:
    cancel = Cancel(saga_id=SAGA, reason="the customer called")
    for run in runs(state):
        if state in GIVEN_UP:
            after = run.on(cancel)
            assert (after.state, after.saga.step) == (GIVEN_UP[state], "CANCELLED")
            assert after.saga.reason == "the customer called"
        else:
            with pytest.raises(IllegalTransition):
                run.on(cancel)


@pytest.mark.parametrize("state", ANSWERS)
def test_a_retry_sends_the_awaited_command_again_or_is_refused(state: str) -> None:
    retry = Retry(saga_id=SAGA, reason="it works again")
    for run in runs(state):
        if state in ENDED:
            with pytest.raises(IllegalTransition):
                run.on(retry)
        else:
            after = run.on(retry)
            assert (after.state, after.sent.id) == (state, run.sent.id)
            assert after.saga.attempt == run.saga.attempt, "an operator's retry uses up a try"
            assert after.on(run.timed_out) == after, "the deadline before the retry counts after it"


@pytest.mark.parametrize("state", ANSWERS)
def test_a_saga_is_resolved_by_hand_only_where_it_needs_attention(state: str) -> None:
    resolve = Resolve(saga_id=SAGA, reason="refunded at the bank")
    for run in runs(state):
        if run.saga.needs_attention is None:
            with pytest.raises(IllegalTransition):
                run.on(resolve)
        else:
            after = run.on(resolve)
            assert after.state == ("COMPLETED" if state == "ConfirmOrder" else "FAILED")
            assert after.saga.needs_attention is None
            assert "refunded at the bank" in str(after.saga.reason)


@pytest.mark.parametrize("state", ANSWERS)
def test_a_second_start_changes_nothing_and_leaves_no_trace(state: str) -> None:
    for run in runs(state):
        assert run.on(START) == run


@pytest.mark.parametrize("kind", REPLIES)
def test_a_reply_to_a_saga_that_does_not_exist_is_refused(kind: type[Body]) -> None:
    with pytest.raises(UnknownSaga, match=str(SAGA)):
        decide(CHECKOUT, None, Message.new(reply(kind)), NOW, uuid4())


@pytest.mark.parametrize(
    ("kind", "field"), [(k, f) for k in REPLIES for f in ("order_id", "amount") if f in k.model_fields]
)
def test_a_reply_about_another_order_or_amount_is_refused(kind: type[Body], field: str) -> None:
    other = {"order_id": STRANGER, "amount": Decimal(1)}[field]
    for run in RUNS:
        if kind.__name__ in ANSWERS[run.state]:
            with pytest.raises(Contradiction, match=f"{other}, the saga asked for {FIELDS[field]}"):
                run.on(reply(kind).model_copy(update={field: other}))


@pytest.mark.parametrize("kind", READS)
def test_a_reply_of_two_ids_is_believed(kind: type[Body]) -> None:
    for run in RUNS:
        if kind.__name__ in ANSWERS[run.state]:
            bare = kind.model_validate({name: FIELDS[name] for name in ("saga_id", "order_id")})
            assert run.on(bare).state == ANSWERS[run.state][kind.__name__]


@pytest.mark.parametrize(("kind", "state"), [(PaymentFailed, "ChargePayment"), (InventoryFailed, "ReserveInventory")])
def test_a_no_without_a_reason_is_a_no(kind: type[Body], state: str) -> None:
    for run in runs(state):
        after = run.on(kind.model_validate({"saga_id": SAGA, "order_id": FIELDS["order_id"]}))
        assert (after.saga.step, after.saga.reason) == (label_of(kind), None)


def test_a_command_is_caused_by_the_message_before_it_and_travels_in_its_trace() -> None:
    message = Message.new(reply(REPLIES[0]), traceparent="00-1-2-01")
    decision = decide(CHECKOUT, begin().saga, message, NOW, STRANGER)
    (command,) = decision.outgoing
    assert (command.id, command.causation_id, command.traceparent) == (STRANGER, message.id, "00-1-2-01")


def test_at_a_pivot_that_cannot_be_undone_there_is_no_cancel() -> None:
    steps = (replace(step, undo=None, undone=None) if step.pivot else step for step in CHECKOUT.steps)
    final = Saga("checkout", *steps)
    (run, *_) = runs(final.steps[final.pivot].do.__name__)
    with pytest.raises(IllegalTransition, match="cannot be undone"):
        decide(final, run.saga, Message.new(Cancel(saga_id=SAGA, reason="no")), NOW, uuid4())
