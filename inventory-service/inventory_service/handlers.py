"""Messages in, replies out: the inventory service's decider."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.decider import Decider
from chassis.messages import Message
from chassis.writes import Write
from inventory_service import queries, reservations
from inventory_service.messages import ReleaseInventory, ReserveInventory
from inventory_service.reservations import Reservation


class Reservations(Decider[Reservation]):
    """Decides over rows of `reservations`."""

    LOAD = queries.LOAD
    BEGINS = (ReserveInventory,)

    def __init__(self, failure_rate: float) -> None:
        self._failure_rate = failure_rate

    def key(self, message: Message) -> UUID:
        """One order."""
        return _command(message).order_id

    def read(self, record: Mapping[str, Any]) -> Reservation:
        """A row of `reservations`."""
        return queries.read(record)

    def decide(self, row: Reservation | None, message: Message, now: datetime) -> tuple[Reservation, list[Message]]:
        """Draw, and ask the rules."""
        unlucky = random.random() < self._failure_rate
        reservation, reply = reservations.decide(row, _command(message), now, unlucky=unlucky)
        return reservation, [message.cause(reply)]

    def save(self, rows: list[Reservation]) -> list[Write]:
        """Write the reservations."""
        return [queries.save(rows)]


def _command(message: Message) -> reservations.Command:
    assert isinstance(message.body, ReserveInventory | ReleaseInventory)
    return message.body
