"""The rules of an order. Pure: no I/O, no clock, no ids of its own."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias, assert_never
from uuid import UUID

from order_service.messages import CreateOrder, OrderConflict, OrderStored, OrderUnknown, SetOrderStatus


class Status(StrEnum):
    """PENDING may become either of the others; those are final."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Order:
    """A row of `orders`; version 0 is not stored yet."""

    order_id: UUID
    user_id: str
    total_amount: Decimal
    status: Status
    created_at: datetime
    version: int = 0


Command: TypeAlias = CreateOrder | SetOrderStatus
Answer: TypeAlias = OrderStored | OrderUnknown | OrderConflict


def decide(order: Order | None, command: Command, now: datetime) -> tuple[Order | None, Answer]:
    """The order as it should be, and the answer. Asking twice gives the same answer and changes nothing."""
    match command:
        case CreateOrder():
            return _create(order, command, now)
        case SetOrderStatus():
            return _set_status(order, command, now)
        case _:
            assert_never(command)


def _create(order: Order | None, command: CreateOrder, now: datetime) -> tuple[Order, Answer]:
    if order is None:
        order = Order(command.order_id, command.user_id, command.total_amount, Status.PENDING, now)
        return order, OrderStored(saga_id=command.saga_id, created=True)
    if (order.user_id, order.total_amount) != (command.user_id, command.total_amount):
        return order, OrderConflict(saga_id=command.saga_id, reason="an order with this id and other content exists")
    return order, OrderStored(saga_id=command.saga_id)


def _set_status(order: Order | None, command: SetOrderStatus, now: datetime) -> tuple[Order | None, Answer]:
    wanted = Status(command.status)
    if order is None:
        if wanted is not Status.CANCELLED or command.user_id is None or command.total_amount is None:
            return None, OrderUnknown(saga_id=command.saga_id)
        # The create is still on its way: this tombstone keeps it from bringing the order to life.
        order = Order(command.order_id, command.user_id, command.total_amount, Status.CANCELLED, now)
        return order, OrderStored(saga_id=command.saga_id)
    if order.status is Status.PENDING:
        return replace(order, status=wanted), OrderStored(saga_id=command.saga_id)
    if order.status is wanted:
        return order, OrderStored(saga_id=command.saga_id)
    reason = f"the order is {order.status}, which is final"
    return order, OrderConflict(saga_id=command.saga_id, reason=reason)
