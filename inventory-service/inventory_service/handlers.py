"""Messages in, replies out: the inventory service's decider."""

import random
from datetime import datetime
from uuid import UUID

from chassis.database import Connection
from chassis.messages import Message
from inventory_service import queries, reservations
from inventory_service.messages import ReleaseInventory, ReserveInventory
from inventory_service.reservations import Reservation


class Reservations:
    """Decides over rows of `reservations`."""

    def __init__(self, failure_rate: float) -> None:
        self._failure_rate = failure_rate

    def key(self, message: Message) -> UUID:
        """One order."""
        return _command(message).order_id

    async def load(self, connection: Connection, keys: list[UUID]) -> dict[UUID, Reservation]:
        """Lock the reservations."""
        return await queries.lock_reservations(connection, keys)

    def decide(self, row: Reservation | None, message: Message, now: datetime) -> tuple[Reservation, list[Message]]:
        """Draw, and ask the rules."""
        unlucky = random.random() < self._failure_rate
        reservation, reply = reservations.decide(row, _command(message), now, unlucky=unlucky)
        return reservation, [message.cause(reply)]

    async def save(self, connection: Connection, rows: list[Reservation]) -> None:
        """Write the reservations."""
        await queries.save_reservations(connection, rows)


def _command(message: Message) -> reservations.Command:
    assert isinstance(message.body, ReserveInventory | ReleaseInventory)
    return message.body
