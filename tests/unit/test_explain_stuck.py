"""Where the awaited command or its reply has stopped: one place, with what to do there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from chassis.unreadable import Fault, line
from ops.explain.facts import KAFKA, Trail
from ops.explain.stuck import Stop, stopped
from ops.explain.todo import choices
from ops.explain.way import way
from saga_orchestrator.instance import Cancel
from saga_orchestrator.messages import OrderCreated
from tests.unit.explained import LOOKED_AT, REPLY, facts, foreign_letter, letter, replied, sent, trail, unsent
from tests.unit.runs import AGREED, SAGA, begin, reached

AT_ORDER, AT_PAYMENT = begin(), reached(OrderCreated)
CHARGED = replied("PaymentCharged", "payment.charged")
ANSWERED = trail(AT_PAYMENT, received=True, reply=CHARGED)
NOT_YET, LONG_AGO = LOOKED_AT + timedelta(seconds=2), LOOKED_AT - timedelta(minutes=1)
ILL = "no answer from its /readyz"
WHERE = TopicPartition("payment.charge.command", 2)
STANDS = f'/readyz says {{"broker":true,"consumer":"{line(WHERE, Fault(7, 9, "no CRC"))}"}}'


def stop(**known: Any) -> Stop:
    """Where a saga that waits for the payment has stopped."""
    found = stopped(facts(AT_PAYMENT, **{"trail": trail(AT_PAYMENT), **known}))
    assert found
    return found


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    # what is known, what is said, the command to run next
    ("no outbox row", {"trail": Trail()}, "ChargePayment is not in the orchestrator's outbox", "/retry"),
    (
        "just written",
        {"trail": trail(AT_PAYMENT, command=sent(AT_PAYMENT, **unsent(NOT_YET)))},
        "saga-orchestrator is sending ChargePayment right now",
        "make explain",
    ),
    (
        "due, and the sender stands still",
        {
            "trail": trail(AT_PAYMENT, command=sent(AT_PAYMENT, **unsent(LONG_AGO))),
            "unready": {"saga-orchestrator": ILL},
        },
        f"saga-orchestrator does not work ({ILL}): ChargePayment is due in its outbox and is not sent",
        "local kill saga-orchestrator",
    ),
    (
        "unsent, for Kafka is away",
        {"trail": trail(AT_PAYMENT, command=sent(AT_PAYMENT, **unsent(NOT_YET, 3))), "away": {KAFKA: "refused"}},
        "Kafka does not work (refused): ChargePayment of saga-orchestrator does not get through to it",
        "make logs SERVICE=kafka",
    ),
    (
        "unsent, nobody knows why",
        {"trail": trail(AT_PAYMENT, command=sent(AT_PAYMENT, **unsent(NOT_YET, 3)))},
        "does not get ChargePayment to Kafka: unsent after 3 more tries",
        "make logs SERVICE=saga-orchestrator",
    ),
    (
        "the receiver has no database",
        {"trail": trail(AT_PAYMENT, received=None), "away": {"payment-service": "refused"}},
        "The database of payment-service cannot be read (refused)",
        "make status",
    ),
    (
        "the command is a dead letter",
        {"letters": [letter("payment-service", AT_PAYMENT.saga.awaiting)]},
        "ChargePayment could not be handled: dead letter payment-service/0/17 (ValueError: no).",
        'make dlq ARGS="show payment-service/0/17"',
    ),
    (
        "a stranger's reply is a dead letter",
        {"letters": [foreign_letter("payment.charged")], "away": {"payment-service": "refused"}},
        "A reply on payment.charged could not be handled: dead letter saga-orchestrator/0/18 (Contradiction",
        "make dlq",
    ),
    (
        "a dead letter of an earlier step",
        {"letters": [foreign_letter("payment.refunded")]},
        "ChargePayment lies in payment.charge.command for 1 min 0 s",
        "make logs SERVICE=payment-service",
    ),
    (
        "the command waits on a retry topic",
        {"retries": [letter("payment-service.retry.30s", AT_PAYMENT.saga.awaiting)]},
        "ChargePayment failed 2 times and waits 30s on payment-service.retry.30s",
        "make logs SERVICE=payment-service",
    ),
    (
        "sent, and the receiver stands still",
        {"unready": {"payment-service": ILL}},
        f"payment-service does not work ({ILL}): ChargePayment lies in payment.charge.command before it",
        "local kill payment-service",
    ),
    (
        "sent, and the receiver cannot read its partition",
        {"unready": {"payment-service": STANDS}},
        f"payment-service does not work ({STANDS}): ChargePayment lies in payment.charge.command before it",
        "pass payment.charge.command/2/9 --by",
    ),
    (
        "sent, and a topic of the receiver is missing",
        {"unready": {"payment-service": "missing topics: payment-service.dlq"}},
        "payment-service does not work (missing topics: payment-service.dlq)",
        "docker compose up kafka-init",
    ),
    (
        "sent, and Kafka went away since",
        {"away": {KAFKA: "refused"}},
        "Kafka does not work (refused): ChargePayment was sent, and payment-service has not handled it",
        "make status",
    ),
    (
        "sent a moment ago",
        {"trail": trail(AT_PAYMENT, command=sent(AT_PAYMENT, published_at=LOOKED_AT - timedelta(seconds=1)))},
        "ChargePayment is on its way to payment-service",
        "make explain",
    ),
    (
        "sent, and the receiver lags",
        {},
        "ChargePayment lies in payment.charge.command for 1 min 0 s, and payment-service has not handled it",
        "make logs SERVICE=payment-service",
    ),
    (
        "handled, and the reply is pruned",
        {"trail": trail(AT_PAYMENT, received=True)},
        "payment-service has handled it, but its reply is not in its outbox any more",
        "/retry",
    ),
    (
        "the reply is unsent, and its sender stands still",
        {
            "trail": replace(ANSWERED, reply=CHARGED | unsent(LONG_AGO)),
            "unready": {"payment-service": ILL},
        },
        f"payment-service does not work ({ILL}): PaymentCharged is due in its outbox and is not sent",
        "local kill payment-service",
    ),
    (
        "the reply is a dead letter",
        {"trail": ANSWERED, "letters": [letter("saga-orchestrator", REPLY)]},
        "PaymentCharged could not be handled: dead letter saga-orchestrator/0/17",
        "make dlq",
    ),
    (
        "the reply waits on a retry topic",
        {"trail": ANSWERED, "retries": [letter("saga-orchestrator.retry.5s", REPLY)]},
        "PaymentCharged failed 2 times and waits 5s on saga-orchestrator.retry.5s",
        "make logs SERVICE=saga-orchestrator",
    ),
    (
        "the reply lies before the orchestrator",
        {"trail": ANSWERED, "unready": {"saga-orchestrator": ILL}},
        f"saga-orchestrator does not work ({ILL}): PaymentCharged lies in payment.charged before it",
        "local kill saga-orchestrator",
    ),
    (
        "the reply has come back",
        {"trail": replace(ANSWERED, returned=True)},
        "The orchestrator has had the answer and still waits",
        "make explain",
    ),
]


@pytest.mark.parametrize(("known", "said", "todo"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_place_is_named_and_the_next_command(known: dict[str, Any], said: str, todo: str) -> None:
    found = stop(**known)
    assert said in found.where
    assert todo in found.todo[0] + found.todo[-1]


def test_a_call_is_unsent_until_its_answer_has_been_applied() -> None:
    row = sent(AT_ORDER, **unsent(NOT_YET, 2))
    for received, said in (
        (False, "CreateOrder of saga-orchestrator does not get through to it"),
        (True, "it has handled CreateOrder, but its answer has not come back"),
    ):
        known = {"trail": Trail(row, received), "unready": {"order-service": ILL}}
        found = stopped(facts(AT_ORDER, **known))
        assert found
        assert found.where == f"order-service does not work ({ILL}): {said}."
    done = stopped(facts(AT_ORDER, trail=Trail(row, True)))
    assert done
    assert "has handled CreateOrder, but its answer has not come back" in done.where


def test_a_failed_copy_of_what_was_handled_since_says_nothing() -> None:
    copies = [letter("payment-service.retry.5s", AT_PAYMENT.saga.awaiting)]
    assert "PaymentCharged lies in" in stop(trail=ANSWERED, retries=copies).where


def test_what_has_ended_has_stopped_nowhere_but_an_open_dead_letter_is_named() -> None:
    done = facts(reached(*AGREED))
    assert stopped(done) is None
    assert list(way(done)) == []
    left = stopped(replace(done, letters=[letter("payment-service", REPLY)]))
    assert left
    assert left.where == "Nothing waits for it, but dead letter payment-service/0/17 (ValueError: no) is open."
    assert "make dlq ARGS='drop payment-service/0/17" in left.todo[-1]


def test_the_way_goes_from_outbox_to_inbox_and_back() -> None:
    assert [passed for passed, _ in way(facts(AT_PAYMENT, trail=ANSWERED))] == [True, True, True, False]
    away = facts(AT_PAYMENT, trail=trail(AT_PAYMENT, received=None), away={"payment-service": "refused"})
    assert [passed for passed, _ in way(away)] == [True, None, None, False]
    assert [passed for passed, _ in way(facts(AT_ORDER, trail=Trail(sent(AT_ORDER, **unsent(NOT_YET)))))] == [False] * 3


def test_an_operator_is_offered_what_the_engine_allows() -> None:
    confirming = reached(*AGREED[:-1])
    undoing = AT_PAYMENT.on(Cancel(saga_id=SAGA, reason="no"))
    for run, offered in (
        (AT_PAYMENT, ["retry", "cancel"]),
        (confirming, ["retry"]),
        (undoing, ["retry"]),
        (undoing.unanswered(), ["retry", "resolve"]),
    ):
        said = " ".join(choices(facts(run)))
        assert [action for action in ("retry", "cancel", "resolve") if f"/{action}" in said] == offered
    assert list(choices(facts(AT_PAYMENT, unready={"saga-orchestrator": ILL}))) == []
