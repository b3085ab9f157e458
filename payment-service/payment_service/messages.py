"""What the payment service reads from Kafka and writes to it."""

from typing import ClassVar, Final
from uuid import UUID

from chassis.messages import Amount, Command, Event, Money


class ChargePayment(Command):
    """Take the money; nothing, without an amount. `force_fail`: true fails always, false never, absent at random."""

    destination: ClassVar[str] = "payment.charge.command"
    order_id: UUID
    amount: Money | None = None
    force_fail: bool | None = None


class RefundPayment(Command):
    """Give the money back, or see to it that it is never taken."""

    destination: ClassVar[str] = "payment.refund.command"
    order_id: UUID


class PaymentCharged(Event):
    """The money is taken."""

    destination: ClassVar[str] = "payment.charged"
    order_id: UUID
    amount: Amount | None = None


class PaymentFailed(Event):
    """The money is not taken, and will not be."""

    destination: ClassVar[str] = "payment.failed"
    order_id: UUID
    amount: Amount | None = None
    reason: str | None = None


class PaymentRefunded(Event):
    """Nothing is charged any more."""

    destination: ClassVar[str] = "payment.refunded"
    order_id: UUID


READS: Final = (ChargePayment, RefundPayment)
SENDS: Final = (PaymentCharged, PaymentFailed, PaymentRefunded)
