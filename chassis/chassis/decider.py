"""What a service gives the chassis: how to load, decide and save its rows. Everything else is the chassis's.

The decider is Jérémie Chassaing's "Functional Event Sourcing Decider" (2021), here over rows instead of streams.
"""

from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from chassis.database import Connection
from chassis.messages import Message

Row = TypeVar("Row")


class Decider(Protocol[Row]):
    """Load, decide, save."""

    def key(self, message: Message) -> UUID:
        """The id of the one row that this message is about."""

    async def load(self, connection: Connection, keys: list[UUID]) -> dict[UUID, Row]:
        """The rows with these (sorted) ids, locked in this order."""

    def decide(self, row: Row | None, message: Message, now: datetime) -> tuple[Row | None, list[Message]]:
        """The row as it should be (None: there should be none) and what to send. Pure; raising refuses the message."""

    async def save(self, connection: Connection, rows: list[Row]) -> None:
        """Write the rows that changed; `Conflict` if another process was faster."""
