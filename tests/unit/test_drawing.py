"""A saga's log as a picture, and its state in words, for every state that there is."""

import json
from datetime import timedelta
from typing import ClassVar

import pytest

from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga, SagaCommand, Step
from saga_orchestrator.drawing import Arrow, Drawing, Look, age, awaited, draw, in_words
from saga_orchestrator.instance import Cancel, Kind, Resolve, Retry
from saga_orchestrator.messages import (
    InventoryFailed,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    PaymentCharged,
    PaymentFailed,
    PaymentRefunded,
)
from saga_orchestrator.pages import saga_page
from saga_orchestrator.views import EventView
from tests.unit.runs import AGREED, NOW, REASON, SAGA, Run, begin, reachable, reached, reply

HOSTILE = "</title><script>alert('1')</script>"


def events_of(run: Run) -> list[EventView]:
    return [
        EventView(
            seq=entry.seq,
            kind=entry.kind,
            type=entry.message.type,
            at=entry.at,
            message_id=entry.message.id,
            causation_id=entry.message.causation_id,
            body=json.loads(entry.message.body.to_json()),
        )
        for entry in run.log
    ]


def drawn(run: Run) -> Drawing:
    return draw(CHECKOUT, run.saga, events_of(run))


def told(drawing: Drawing) -> list[str]:
    """`customer > orchestrator: StartCheckout`, and so on."""
    names = {lane.x: lane.name for lane in drawing.lanes}
    return [f"{names[arrow.tail]} > {names[arrow.head]}: {arrow.text}" for arrow in drawing.arrows]


def looks(drawing: Drawing) -> list[Look]:
    return [arrow.look for arrow in drawing.arrows]


def rendered(run: Run) -> str:
    return bytes(saga_page(CHECKOUT, run.saga, awaited(CHECKOUT, run.saga), events_of(run)).body).decode()


def test_a_checkout_that_goes_well_is_a_conversation_with_every_participant() -> None:
    run = reached(*AGREED)
    lines = told(drawn(run))
    assert lines[:7] == [
        "customer > orchestrator: StartCheckout",
        "orchestrator > order: CreateOrder",
        "order > orchestrator: OrderCreated",
        "orchestrator > payment: ChargePayment",
        "payment > orchestrator: PaymentCharged",
        "orchestrator > inventory: ReserveInventory",
        "inventory > orchestrator: InventoryReserved",
    ]
    assert lines[-2:] == ["orchestrator > order: ConfirmOrder", "order > orchestrator: OrderConfirmed"]
    assert len(lines) == 1 + 2 * len(AGREED)
    assert set(looks(drawn(run))) == {Look.DO}
    assert in_words(run.saga, awaited(CHECKOUT, run.saga)) == "Ended at ORDER_CONFIRMED."


def test_a_refusal_and_its_compensations_look_otherwise() -> None:
    payment = drawn(reached(OrderCreated, PaymentFailed, OrderCancelled))
    assert told(payment)[-3:] == [
        f"payment > orchestrator: PaymentFailed: {REASON}",
        "orchestrator > order: CancelOrder",
        "order > orchestrator: OrderCancelled",
    ]
    assert looks(payment)[-3:] == [Look.NO, Look.UNDO, Look.UNDO]
    stock = drawn(reached(OrderCreated, PaymentCharged, InventoryFailed, PaymentRefunded, OrderCancelled))
    assert looks(stock)[-5:] == [Look.NO, *[Look.UNDO] * 4]


def test_a_missing_answer_is_a_mark_on_the_orchestrator_and_a_late_one_has_no_effect() -> None:
    waits = reached(OrderCreated)
    run = waits.unanswered().on(reply(PaymentCharged), waits.sent.id)
    lines = told(drawn(run))
    assert lines[4:6] == [
        "orchestrator > orchestrator: no answer to try 1",
        "orchestrator > payment: ChargePayment (again)",
    ]
    assert lines[-2:] == ["orchestrator > payment: RefundPayment", "payment > orchestrator: PaymentCharged (too late)"]
    assert looks(drawn(run))[-1] is Look.LATE
    assert in_words(run.saga, awaited(CHECKOUT, run.saga)).startswith(
        "Goes back, because of PAYMENT_TIMED_OUT: no reply to ChargePayment"
    )


def test_an_operator_has_a_lane_only_where_one_acted() -> None:
    assert "operator" not in [lane.name for lane in drawn(begin()).lanes]
    run = reached(OrderCreated).on(Retry(saga_id=SAGA, reason="now")).on(Cancel(saga_id=SAGA, reason="no"))
    run = run.unanswered().on(Resolve(saga_id=SAGA, reason="done"))
    said = [line for line in told(drawn(run)) if line.startswith("operator")]
    assert said == [f"operator > orchestrator: {text}" for text in ("Retry: now", "Cancel: no", "Resolve: done")]
    assert in_words(run.saga, awaited(CHECKOUT, run.saga)) == "Ended at CANCELLED: resolved by hand: done."


def test_a_bar_lasts_from_the_first_try_to_its_answer_and_is_open_while_that_is_awaited() -> None:
    drawing = drawn(reached(OrderCreated).on(Retry(saga_id=SAGA, reason="now")))
    answered, waiting = drawing.bars
    create, created, charge = drawing.arrows[1:4]
    assert (answered.x, answered.top, answered.bottom, answered.open) == (create.head, create.y, created.y, False)
    assert (waiting.x, waiting.top, waiting.open) == (charge.head, charge.y, True)
    assert waiting.bottom > drawing.arrows[-1].y


@pytest.mark.parametrize("run", reachable(), ids=lambda run: f"{run.state}-{run.saga.step}-{run.saga.attempt}")
def test_every_state_can_be_drawn_and_told(run: Run) -> None:
    drawing = drawn(run)
    assert [arrow.seq for arrow in drawing.arrows] == [entry.seq for entry in run.log]
    assert all(0 < arrow.y < drawing.height for arrow in drawing.arrows)
    sent = [arrow.tail for arrow, entry in zip(drawing.arrows, run.log, strict=True) if entry.kind is Kind.SENT]
    assert set(sent) <= {drawing.middle}
    assert in_words(run.saga, awaited(CHECKOUT, run.saga)).startswith(("Ended at", "Waits for", "Goes back"))
    waits = awaited(CHECKOUT, run.saga)
    assert (waits.command if waits else run.saga.status) == run.state
    assert rendered(run).count("<title>") == len(run.log) + 1


def test_only_a_command_that_may_end_in_an_undo_has_a_last_try() -> None:
    refunding = reached(OrderCreated, PaymentCharged, InventoryFailed)
    runs = [reached(OrderCreated), refunding, reached(*AGREED[:-1])]
    waits = [awaited(CHECKOUT, run.saga) for run in runs]
    assert [(each.command, each.attempt) for each in waits if each] == [
        ("ChargePayment", "1 of 5"),
        ("RefundPayment", "1"),
        ("ConfirmOrder", "1"),
    ]


def test_the_end_of_a_long_log_is_drawn_without_its_beginning() -> None:
    run = reached(OrderCreated, PaymentCharged)
    drawing = draw(CHECKOUT, run.saga, events_of(run)[3:])
    assert [lane.name for lane in drawing.lanes][:4] == ["orchestrator", "order", "payment", "inventory"]
    assert draw(CHECKOUT, run.saga, []).arrows == ()


def test_time_is_told_since_the_beginning_and_not_twice() -> None:
    later = [event.model_copy(update={"at": NOW + timedelta(milliseconds=1234)}) for event in events_of(begin())]
    assert [arrow.elapsed for arrow in draw(CHECKOUT, begin().saga, later).arrows] == ["1,234 ms", ""]
    ages = [age(timedelta(seconds=seconds)) for seconds in (-1, 59.9, 60, 7200, 200_000)]
    assert ages == ["0 s", "59 s", "1 min", "2 h", "2 d"]


def test_a_new_step_has_a_lane_of_its_own() -> None:
    class Wrap(SagaCommand):
        destination: ClassVar[str] = "packing.wrap.command"

    definition = Saga("longer", *CHECKOUT.steps, Step("wrap", do=Wrap, yes=OrderConfirmed))
    assert draw(definition, begin().saga, []).lanes[-1].name == "packing"


def test_a_message_that_no_step_knows_any_more_is_drawn_as_a_mark() -> None:
    (arrow,) = draw(CHECKOUT, begin().saga, [events_of(begin())[0].model_copy(update={"type": "Gone"})]).arrows
    assert arrow.tail == arrow.head


def test_hostile_text_stays_text() -> None:
    run = reached(OrderCreated).on(Cancel(saga_id=SAGA, reason=HOSTILE))
    page = rendered(run)
    assert HOSTILE not in page
    assert "&lt;/title&gt;&lt;script&gt;" in page
    assert page.count("<script>") == 1


def test_a_long_text_is_shortened_on_its_arrow_only() -> None:
    run = reached(OrderCreated).on(Cancel(saga_id=SAGA, reason="x" * 500))
    arrow: Arrow = next(arrow for arrow in drawn(run).arrows if arrow.look is Look.OPERATOR)
    assert len(arrow.label) == 60
    assert arrow.text == f"Cancel: {'x' * 500}"
