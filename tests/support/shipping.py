"""The checkout with one step more, and with one less: lists that take the place of today's in tests."""

from typing import ClassVar

from chassis.messages import Event
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga, Step
from saga_orchestrator.messages import ForOrder


class BookShipping(ForOrder):
    destination: ClassVar[str] = "shipping.book.command"


class CancelShipping(ForOrder):
    destination: ClassVar[str] = "shipping.cancel.command"


class ShippingBooked(Event):
    destination: ClassVar[str] = "shipping.booked"


class ShippingFailed(Event):
    destination: ClassVar[str] = "shipping.failed"


class ShippingCancelled(Event):
    destination: ClassVar[str] = "shipping.cancelled"


def changed(step: Step, **changes: object) -> Step:
    """The same step, but for that."""
    return Step(**{name: getattr(step, name) for name in Step.__slots__} | changes)


CREATE, CHARGE, RESERVE, CONFIRM = CHECKOUT.steps
SHIP = Step(
    "book shipping",
    do=BookShipping,
    yes=ShippingBooked,
    no=ShippingFailed,
    undo=CancelShipping,
    undone=ShippingCancelled,
    pivot=True,
)
WITH_SHIPPING = Saga("checkout", CREATE, CHARGE, changed(RESERVE, pivot=False), SHIP, CONFIRM)
WITHOUT_CONFIRMATION = Saga("checkout", CREATE, CHARGE, RESERVE)
RENAMED = Saga(
    "checkout", CREATE, changed(CHARGE, name="take the money", formerly=("charge payment",)), RESERVE, CONFIRM
)
