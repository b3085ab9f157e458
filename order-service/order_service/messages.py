"""What the order service reads (over HTTP) and answers."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from chassis.messages import Command, Event, Money

UserId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Who orders: 1 to 200 characters, no control characters."""


class CreateOrder(Command):
    """Make a PENDING order under an id that the caller chose."""

    order_id: UUID
    user_id: UserId
    total_amount: Money


class SetOrderStatus(Command):
    """Confirm or cancel. With the order's content, a cancel may come before its create."""

    order_id: UUID
    status: Literal["CONFIRMED", "CANCELLED"]
    user_id: UserId | None = None
    total_amount: Money | None = None


class OrderStored(Event):
    """The order is as it was asked to be; `created` tells whether it is new."""

    created: bool = False


class OrderUnknown(Event):
    """There is no such order."""


class OrderConflict(Event):
    """The order exists and is not what was asked for."""

    reason: str
