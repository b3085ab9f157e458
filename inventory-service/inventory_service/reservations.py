"""The rules of a reservation. Pure: no I/O, no clock, no randomness."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, assert_never
from uuid import UUID

from chassis.errors import Hopeless
from inventory_service.messages import (
    InventoryFailed,
    InventoryReleased,
    InventoryReserved,
    ReleaseInventory,
    ReserveInventory,
)


class Status(StrEnum):
    """RESERVED may become RELEASED; the others are final. VOIDED is the tombstone of a release without a reserve."""

    RESERVED = "RESERVED"
    FAILED = "FAILED"
    RELEASED = "RELEASED"
    VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A row of `reservations`; version 0 is not stored yet."""

    order_id: UUID
    saga_id: UUID
    status: Status
    created_at: datetime
    reason: str | None = None
    version: int = 0


class ForeignOrder(Hopeless):
    """A release from a saga that this reservation does not belong to; nothing changes."""


Command: TypeAlias = ReserveInventory | ReleaseInventory
Reply: TypeAlias = InventoryReserved | InventoryFailed | InventoryReleased


def decide(
    reservation: Reservation | None, command: Command, now: datetime, *, unlucky: bool
) -> tuple[Reservation, Reply]:
    """The reservation as it should be, and the reply that it implies; asking twice gives the same reply.

    `unlucky` is the draw for a reserve that does not say whether to fail; it counts once and is stored as the status.
    """
    match command:
        case ReserveInventory():
            reservation = reservation or _reserve(command, now, unlucky)
            return reservation, _reserve_reply(reservation, command)
        case ReleaseInventory():
            return _release(reservation, command, now)
        case _:
            assert_never(command)


def _reserve(command: ReserveInventory, now: datetime, unlucky: bool) -> Reservation:
    fails = unlucky if command.force_fail is None else command.force_fail
    status, reason = (Status.FAILED, "OUT_OF_STOCK") if fails else (Status.RESERVED, None)
    return Reservation(command.order_id, command.saga_id, status, now, reason)


def _reserve_reply(reservation: Reservation, command: ReserveInventory) -> Reply:
    ids = {"saga_id": command.saga_id, "order_id": command.order_id}
    if reservation.saga_id != command.saga_id:
        return InventoryFailed(**ids, reason="ORDER_BELONGS_TO_ANOTHER_SAGA")
    if reservation.status is Status.RESERVED:
        return InventoryReserved(**ids)
    if reservation.status is Status.VOIDED:
        return InventoryFailed(**ids, reason="VOIDED")
    return InventoryFailed(**ids, reason=reservation.reason or reservation.status)


def _release(reservation: Reservation | None, command: ReleaseInventory, now: datetime) -> tuple[Reservation, Reply]:
    if reservation is None:
        reason = "released before it was reserved"
        reservation = Reservation(command.order_id, command.saga_id, Status.VOIDED, now, reason)
    elif reservation.saga_id != command.saga_id:
        raise ForeignOrder(f"order {command.order_id} belongs to saga {reservation.saga_id}, not to {command.saga_id}")
    elif reservation.status is Status.RESERVED:
        reservation = replace(reservation, status=Status.RELEASED)
    return reservation, InventoryReleased(saga_id=command.saga_id, order_id=command.order_id)
