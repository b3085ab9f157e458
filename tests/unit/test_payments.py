"""Every command on every payment: what becomes of it, and what is answered."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from payment_service.messages import ChargePayment, PaymentFailed, RefundPayment
from payment_service.payments import Command, ForeignOrder, Payment, Status, decide

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ORDER, SAGA, STRANGER = UUID(int=1), UUID(int=2), UUID(int=3)
IDS = {"order_id": ORDER, "saga_id": SAGA}
CHARGE = ChargePayment(**IDS, amount=Decimal(500))
REFUND = RefundPayment(**IDS)

CHARGED = Payment(ORDER, SAGA, Decimal(500), Status.CHARGED, NOW)
REFUNDED = replace(CHARGED, status=Status.REFUNDED)
FAILED = replace(CHARGED, status=Status.FAILED, reason="DECLINED")
VOIDED = Payment(ORDER, SAGA, None, Status.VOIDED, NOW, "refunded before it was charged")


@pytest.mark.parametrize(
    ("payment", "command", "after", "answer", "reason"),
    [
        (None, CHARGE, CHARGED, "PaymentCharged", None),
        (CHARGED, CHARGE, CHARGED, "PaymentCharged", None),
        (FAILED, CHARGE, FAILED, "PaymentFailed", "DECLINED"),
        (REFUNDED, CHARGE, REFUNDED, "PaymentFailed", "REFUNDED"),
        (VOIDED, CHARGE, VOIDED, "PaymentFailed", "VOIDED"),
        (None, REFUND, VOIDED, "PaymentRefunded", None),
        (CHARGED, REFUND, REFUNDED, "PaymentRefunded", None),
        (FAILED, REFUND, FAILED, "PaymentRefunded", None),
        (REFUNDED, REFUND, REFUNDED, "PaymentRefunded", None),
        (VOIDED, REFUND, VOIDED, "PaymentRefunded", None),
    ],
)
def test_a_command_does_this_to_a_payment_and_doing_it_again_does_nothing(
    payment: Payment | None, command: Command, after: Payment, answer: str, reason: str | None
) -> None:
    found, reply = decide(payment, command, NOW, unlucky=False)
    assert (found, type(reply).__name__, getattr(reply, "reason", None)) == (after, answer, reason)
    assert decide(found, command, NOW, unlucky=True)[0] == found


@pytest.mark.parametrize("payment", [CHARGED, FAILED, VOIDED])
def test_a_repeated_command_gets_the_same_answer_whatever_the_dice_say(payment: Payment) -> None:
    answers = {decide(payment, CHARGE, NOW, unlucky=unlucky)[1].to_json() for unlucky in (True, False)}
    assert len(answers) == 1


@pytest.mark.parametrize("unlucky", [True, False])
@pytest.mark.parametrize("force", [True, False, None])
def test_a_force_flag_beats_the_dice_and_without_one_they_decide(force: bool | None, unlucky: bool) -> None:
    payment, _ = decide(None, CHARGE.model_copy(update={"force_fail": force}), NOW, unlucky=unlucky)
    fails = unlucky if force is None else force
    assert payment.status is (Status.FAILED if fails else Status.CHARGED)


@pytest.mark.parametrize("payment", [CHARGED, FAILED, REFUNDED, VOIDED])
def test_a_saga_cannot_charge_the_order_of_another(payment: Payment) -> None:
    foreign = CHARGE.model_copy(update={"saga_id": STRANGER})
    after, reply = decide(payment, foreign, NOW, unlucky=False)
    assert after == payment
    assert reply == PaymentFailed(
        saga_id=STRANGER, order_id=ORDER, amount=Decimal(500), reason="ORDER_BELONGS_TO_ANOTHER_SAGA"
    )


@pytest.mark.parametrize("payment", [CHARGED, FAILED, REFUNDED, VOIDED])
def test_a_saga_cannot_refund_the_order_of_another(payment: Payment) -> None:
    with pytest.raises(ForeignOrder, match=str(SAGA)):
        decide(payment, RefundPayment(order_id=ORDER, saga_id=STRANGER), NOW, unlucky=False)


@pytest.mark.parametrize(
    ("payment", "reason"), [(None, "AMOUNT_MISSING"), (CHARGED, "AMOUNT_MISSING"), (VOIDED, "VOIDED")]
)
def test_a_charge_of_no_amount_is_refused_and_takes_nothing(payment: Payment | None, reason: str) -> None:
    after, reply = decide(payment, ChargePayment(**IDS), NOW, unlucky=False)
    assert reply == PaymentFailed(**IDS, reason=reason)
    assert after == (payment or Payment(ORDER, SAGA, None, Status.FAILED, NOW, "AMOUNT_MISSING"))


def test_a_charge_of_another_amount_is_refused_and_changes_nothing() -> None:
    after, reply = decide(CHARGED, CHARGE.model_copy(update={"amount": Decimal("499.99")}), NOW, unlucky=False)
    assert after == CHARGED
    assert reply == PaymentFailed(**IDS, amount=Decimal("499.99"), reason="ORDER_HAS_ANOTHER_AMOUNT")
