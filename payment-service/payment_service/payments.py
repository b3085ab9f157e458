"""The rules of a payment. Pure: no I/O, no clock, no randomness."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias, assert_never
from uuid import UUID

from chassis.errors import Hopeless
from payment_service.messages import ChargePayment, PaymentCharged, PaymentFailed, PaymentRefunded, RefundPayment

AMOUNT_MISSING: Final = "AMOUNT_MISSING"


class Status(StrEnum):
    """CHARGED may become REFUNDED; the others are final. VOIDED is the tombstone of a refund without a charge."""

    CHARGED = "CHARGED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True)
class Payment:
    """A row of `payments`; version 0 is not stored yet."""

    order_id: UUID
    saga_id: UUID
    amount: Decimal | None
    status: Status
    created_at: datetime
    reason: str | None = None
    version: int = 0


class ForeignOrder(Hopeless):
    """A refund from a saga that this payment does not belong to; nothing changes."""


Command: TypeAlias = ChargePayment | RefundPayment
Reply: TypeAlias = PaymentCharged | PaymentFailed | PaymentRefunded


def decide(payment: Payment | None, command: Command, now: datetime, *, unlucky: bool) -> tuple[Payment, Reply]:
    """The payment as it should be, and the reply that it implies; asking twice gives the same reply.

    `unlucky` is the draw for a charge that does not say whether to fail; it counts once and is stored as the status.
    """
    match command:
        case ChargePayment():
            payment = payment or _charge(command, now, unlucky)
            return payment, _charge_reply(payment, command)
        case RefundPayment():
            return _refund(payment, command, now)
        case _:
            assert_never(command)


def _charge(command: ChargePayment, now: datetime, unlucky: bool) -> Payment:
    fails = unlucky if command.force_fail is None else command.force_fail
    status, reason = (Status.FAILED, "DECLINED") if fails else (Status.CHARGED, None)
    if command.amount is None:
        status, reason = Status.FAILED, AMOUNT_MISSING
    return Payment(command.order_id, command.saga_id, command.amount, status, now, reason)


def _charge_reply(payment: Payment, command: ChargePayment) -> Reply:
    if payment.saga_id != command.saga_id:
        refusal: str | None = "ORDER_BELONGS_TO_ANOTHER_SAGA"
    elif payment.status is Status.VOIDED:
        refusal = "VOIDED"
    elif command.amount is None:
        refusal = AMOUNT_MISSING
    elif payment.amount != command.amount:
        refusal = "ORDER_HAS_ANOTHER_AMOUNT"
    elif payment.status is Status.CHARGED:
        refusal = None
    else:
        refusal = payment.reason or payment.status
    ids = {"saga_id": command.saga_id, "order_id": command.order_id}
    if refusal is None:
        return PaymentCharged(**ids, amount=command.amount)
    return PaymentFailed(**ids, amount=command.amount, reason=refusal)


def _refund(payment: Payment | None, command: RefundPayment, now: datetime) -> tuple[Payment, Reply]:
    if payment is None:
        payment = Payment(command.order_id, command.saga_id, None, Status.VOIDED, now, "refunded before it was charged")
    elif payment.saga_id != command.saga_id:
        raise ForeignOrder(f"order {command.order_id} belongs to saga {payment.saga_id}, not to {command.saga_id}")
    elif payment.status is Status.CHARGED:
        payment = replace(payment, status=Status.REFUNDED)
    return payment, PaymentRefunded(saga_id=command.saga_id, order_id=command.order_id)
