"""What is told of a checkout: its headline, its log, and whether the rows agree."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inventory_service.messages import READS as INVENTORY_READS
from ops.explain.agreement import disagreements, why_unknown
from ops.explain.facts import RECEIVERS, SENDERS, Facts, service_of
from ops.explain.headline import headline
from ops.explain.stuck import stopped
from ops.explain.timeline import timeline
from ops.explain.todo import choices
from ops.explain.way import way
from ops.explain.words import span
from payment_service.messages import READS as PAYMENT_READS
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.instance import Cancel, Resolve
from saga_orchestrator.messages import (
    InventoryFailed,
    OrderCancelled,
    OrderCreated,
    OrderRejected,
    PaymentCharged,
    PaymentRefunded,
)
from tests.unit.explained import LOOKED_AT, facts, letter
from tests.unit.runs import AGREED, AMOUNT, NOW, ORDER, SAGA, STRANGER, Run, reachable, reached

UNSTOCKED = (OrderCreated, PaymentCharged, InventoryFailed, PaymentRefunded, OrderCancelled)
AT_PAYMENT, CONFIRMING = reached(OrderCreated), reached(*AGREED[:-1])
ROWS: dict[str, Any] = {
    "order-service": {"order_id": ORDER, "status": "CONFIRMED", "total_amount": AMOUNT},
    "payment-service": {"order_id": ORDER, "saga_id": SAGA, "status": "CHARGED", "amount": AMOUNT},
    "inventory-service": {"order_id": ORDER, "saga_id": SAGA, "status": "RESERVED"},
}


def told(found: Facts) -> str:
    return " ".join(headline(found))


def test_what_has_ended_is_said_with_its_reason_and_what_was_undone() -> None:
    took = span(timedelta(seconds=2 * len(AGREED)))
    assert f"COMPLETED at ORDER_CONFIRMED, {took} after" in told(facts(reached(*AGREED)))
    unstocked = told(facts(reached(*UNSTOCKED)))
    assert "FAILED at INVENTORY_FAILED (NOT_TODAY)" in unstocked
    assert "Undone by RefundPayment, then CancelOrder." in unstocked
    assert "Nothing had been done" in told(facts(reached(OrderRejected)))
    assert "An operator has ended it by hand" in told(
        facts(CONFIRMING.unanswered().on(Resolve(saga_id=SAGA, reason="done")))
    )


def test_a_saga_of_another_list_is_said_to_stand_where_this_one_has_no_step() -> None:
    found = facts(AT_PAYMENT, saga={"place": None, "stands_at": "ship the parcel (Ship)"})
    assert "stands at ship the parcel (Ship), which the list of this version does not have" in told(found)
    assert (stopped(found), list(choices(found))) == (None, [])


def test_a_saga_whose_row_cannot_be_read_is_said_to_be_one() -> None:
    found = facts(AT_PAYMENT, saga={"place": None, "status": "PAUSED", "cannot_be_read": "cannot be read: why"})
    assert "PAUSED at ORDER_CREATED" in told(found)
    assert "its row cannot be read: why. Its messages fail until it can be read" in told(found)
    assert why_unknown(found) == "the row of its saga cannot be read"


def test_what_is_awaited_is_said_with_its_try_and_what_follows() -> None:
    waiting = told(facts(AT_PAYMENT))
    assert "waits for the reply of payment-service to ChargePayment" in waiting
    assert f"step 2 of {len(CHECKOUT.steps)} (charge payment), try 1 of 5" in waiting
    assert "(in 30 s) it is sent again, under the same id" in waiting
    assert "When try 5 has no reply either, at about 00:05:00Z (in 2 min 0 s)" in waiting
    assert "undone: RefundPayment, then CancelOrder; then it is FAILED at PAYMENT_TIMED_OUT" in waiting
    assert "NEEDS ATTENTION" not in waiting


def test_at_the_last_try_the_next_thing_is_the_undoing() -> None:
    waiting = told(facts(AT_PAYMENT, saga={"attempt": 5}))
    assert "try 5 of 5" in waiting
    assert "sent again" not in waiting
    assert "(in 30 s) the saga is undone: RefundPayment, then CancelOrder" in waiting


def test_past_the_pivot_and_while_compensating_it_is_tried_for_ever_and_flagged() -> None:
    for run in (CONFIRMING, AT_PAYMENT.on(Cancel(saga_id=SAGA, reason="no"))):
        waiting = told(facts(run))
        assert "So for ever; without a reply to try 5" in waiting
        assert "the saga is undone" not in waiting
        flagged = told(facts(run.unanswered()))
        assert flagged.startswith("NEEDS ATTENTION: no reply to")
        assert "every 30 s, until a reply comes or an operator resolves it" in flagged
        assert "of 5" not in flagged.partition("try 6")[2]


def test_a_saga_that_is_undone_says_why_and_what_is_left() -> None:
    undoing = told(facts(reached(OrderCreated, PaymentCharged, InventoryFailed)))
    assert "being undone, for INVENTORY_FAILED (NOT_TODAY); still to do: RefundPayment, then CancelOrder" in undoing


def test_a_passed_deadline_is_the_orchestrators_delay() -> None:
    late = told(facts(AT_PAYMENT, saga={"deadline": LOOKED_AT - timedelta(seconds=40)}))
    assert "(40 s ago): the orchestrator itself is late" in late
    soon = told(facts(AT_PAYMENT, saga={"deadline": LOOKED_AT - timedelta(seconds=1)}))
    assert "late" not in soon


def test_what_has_no_saga_says_what_it_is() -> None:
    nobodys = Facts(str(ORDER), "order id", LOOKED_AT, rows=ROWS)
    assert "a foreign client" in told(nobodys)
    assert "cannot be said" in told(replace(nobodys, away={"saga-orchestrator": "no answer"}))
    assert "a dead letter" in told(replace(nobodys, rows={}, letters=[letter("payment-service", STRANGER)]))


def test_the_log_says_by_whom_and_marks_compensations() -> None:
    lines = list(timeline(facts(reached(*UNSTOCKED)).log, NOW))
    assert [line.seq for line in lines] == [str(seq) for seq in range(1, 12)]
    assert [line.what for line in lines if line.undo] == ["RefundPayment (compensation)", "CancelOrder (compensation)"]
    assert [line.by for line in lines[:4]] == [
        "the customer",
        "to order-service",
        "order-service",
        "to payment-service",
    ]
    assert (lines[6].what, lines[6].kind, lines[6].by) == (
        "InventoryFailed: NOT_TODAY",
        "received",
        "inventory-service",
    )


def test_a_late_reply_and_an_operator_are_named() -> None:
    run = AT_PAYMENT.on(Cancel(saga_id=SAGA, reason="no")).answered(PaymentCharged)
    by = [(line.kind, line.by) for line in timeline(facts(run).log, NOW)]
    assert by[-3:] == [("received", "an operator"), ("sent", "to payment-service"), ("too late", "payment-service")]


def test_of_many_vain_tries_the_first_and_the_last_are_shown() -> None:
    run = CONFIRMING.unanswered()
    for _ in range(20):
        run = run.on(run.timed_out)
    lines = list(timeline(facts(run).log, NOW))
    assert [line.what for line in lines if not line.seq] == ["23 more vain tries"]
    assert lines[-1].seq == str(run.saga.seq)
    assert len(lines) == len(CONFIRMING.log) + 2 + 1 + 2


@pytest.mark.parametrize("run", reachable(), ids=lambda run: f"{run.state}-{run.saga.step}-{run.saga.attempt}")
def test_every_reachable_saga_can_be_told(run: Run) -> None:
    found = facts(run)
    assert told(found)
    assert "?" not in [line.by for line in timeline(found.log, NOW)]
    assert bool(list(way(found))) == found.running
    assert not [each for each in disagreements(found) if each.startswith("I8")]


def test_rows_that_agree_and_rows_that_do_not() -> None:
    done = facts(reached(*AGREED), rows=ROWS)
    assert list(disagreements(done)) == []
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"payment-service": ROWS["payment-service"] | {"status": "REFUNDED"}}, "I2"),
        ({"payment-service": ROWS["payment-service"] | {"amount": AMOUNT + 1}}, "I2"),
        ({"inventory-service": None}, "I3"),
        ({"order-service": None}, "I4"),
        ({"inventory-service": ROWS["inventory-service"] | {"saga_id": STRANGER}}, "I6"),
    ]
    for wrong, invariant in wrongs:
        assert invariant in "".join(disagreements(replace(done, rows=ROWS | wrong)))
    assert "I8" in "".join(disagreements(facts(reached(*AGREED), rows=ROWS, saga={"step": "STARTED"})))


def test_what_could_not_be_read_is_not_compared() -> None:
    away = facts(reached(*AGREED), away={"order-service": "refused"})
    assert list(disagreements(away)) == []
    assert why_unknown(away) == "the database of order-service could not be read"
    long = facts(reached(*AGREED))
    assert "make audit" in (why_unknown(replace(long, log=long.log[1:])) or "")


def test_commands_go_to_who_reads_them() -> None:
    for service, reads in (("payment-service", PAYMENT_READS), ("inventory-service", INVENTORY_READS)):
        assert {body.__name__ for body in reads} == {name for name, to in RECEIVERS.items() if to == service}
    assert {service_of(step.do) for step in CHECKOUT.steps} == set(RECEIVERS.values()) == set(SENDERS.values())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0.00 s"), (0.25, "0.25 s"), (12, "12 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (356400, "4 d 3 h")],
)
def test_spans_are_said_in_two_units(seconds: float, said: str) -> None:
    assert span(timedelta(seconds=seconds)) == said
