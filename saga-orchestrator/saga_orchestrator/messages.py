"""What the orchestrator reads and writes: the checkout's start, its commands and their replies."""

import hashlib
from typing import Annotated, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import Field
from pydantic.alias_generators import to_camel

from chassis.messages import Amount, Body, Event, Money, Reason
from saga_orchestrator.definition import SagaCommand, Start
from saga_orchestrator.instance import SagaInstance

UserId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Who orders: 1 to 200 characters, no control characters."""


class StartCheckout(Start):
    """What a customer asked for, with the ids that it got."""

    order_id: UUID
    user_id: UserId
    total_amount: Money
    force_payment_fail: bool | None = None
    force_inventory_fail: bool | None = None
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """Equal for equal requests, whatever ids they got."""
        asked = self.model_dump_json(exclude={"saga_id", "order_id", "idempotency_key"})
        return hashlib.sha256(asked.encode()).hexdigest()

    def contradiction(self, reply: Body) -> str | None:
        """A reply about another order or another amount; one that names none is believed."""
        for name, asked in (("order_id", self.order_id), ("amount", self.total_amount)):
            if (said := vars(reply).get(name)) not in (None, asked):
                return f"it says {to_camel(name)} {said}, the saga asked for {asked}"
        return None


def checkout_of(saga: SagaInstance) -> StartCheckout:
    """What the customer asked for."""
    assert isinstance(saga.start, StartCheckout)
    return saga.start


class ForOrder(SagaCommand):
    """A command that needs nothing but the two ids."""

    order_id: UUID

    @classmethod
    def of(cls, start: StartCheckout) -> Self:
        """The command of this checkout."""
        return cls(saga_id=start.saga_id, order_id=start.order_id)


class OrderContent(ForOrder):
    """A command that says everything about its order."""

    destination: ClassVar[str] = "order-service"
    user_id: UserId
    total_amount: Money

    @classmethod
    def of(cls, start: StartCheckout) -> Self:
        """The command of this checkout."""
        return cls(
            saga_id=start.saga_id, order_id=start.order_id, user_id=start.user_id, total_amount=start.total_amount
        )


class CreateOrder(OrderContent):
    """A PENDING order under an id that we chose."""


class CancelOrder(OrderContent):
    """With the order's content, so that it may come before its create."""

    status: Literal["CANCELLED"] = "CANCELLED"


class ConfirmOrder(ForOrder):
    """The last word on an order."""

    destination: ClassVar[str] = "order-service"
    status: Literal["CONFIRMED"] = "CONFIRMED"


class ChargePayment(ForOrder):
    """Take the money. `force_fail`: true fails always, false never, absent at random."""

    destination: ClassVar[str] = "payment.charge.command"
    amount: Money | None = None
    force_fail: bool | None = None

    @classmethod
    def of(cls, start: StartCheckout) -> Self:
        """The command of this checkout."""
        return cls(
            saga_id=start.saga_id,
            order_id=start.order_id,
            amount=start.total_amount,
            force_fail=start.force_payment_fail,
        )


class RefundPayment(ForOrder):
    """Give the money back, or see to it that it is never taken."""

    destination: ClassVar[str] = "payment.refund.command"


class ReserveInventory(ForOrder):
    """Set stock aside. `force_fail`: true fails always, false never, absent at random."""

    destination: ClassVar[str] = "inventory.reserve.command"
    force_fail: bool | None = None

    @classmethod
    def of(cls, start: StartCheckout) -> Self:
        """The command of this checkout."""
        return cls(saga_id=start.saga_id, order_id=start.order_id, force_fail=start.force_inventory_fail)


class ReleaseInventory(ForOrder):
    """Put the stock back, or see to it that it is never set aside."""

    destination: ClassVar[str] = "inventory.release.command"


class OrderCreated(Event):
    """201 or 200."""


class OrderRejected(Event):
    """The order service will not have this order."""

    reason: Reason


class OrderConfirmed(Event):
    """The order is CONFIRMED."""


class OrderCancelled(Event):
    """The order is CANCELLED, or will be born so."""


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
    reason: Reason | None = None


class PaymentRefunded(Event):
    """Nothing is charged any more."""

    destination: ClassVar[str] = "payment.refunded"
    order_id: UUID


class InventoryReserved(Event):
    """The stock is set aside."""

    destination: ClassVar[str] = "inventory.reserved"
    order_id: UUID


class InventoryFailed(Event):
    """The stock is not set aside, and will not be."""

    destination: ClassVar[str] = "inventory.failed"
    order_id: UUID
    reason: Reason | None = None


class InventoryReleased(Event):
    """Nothing is reserved any more."""

    destination: ClassVar[str] = "inventory.released"
    order_id: UUID


READS: Final = (
    PaymentCharged,
    PaymentFailed,
    PaymentRefunded,
    InventoryReserved,
    InventoryFailed,
    InventoryReleased,
)
SENDS: Final = (
    CreateOrder,
    CancelOrder,
    ConfirmOrder,
    ChargePayment,
    RefundPayment,
    ReserveInventory,
    ReleaseInventory,
)
