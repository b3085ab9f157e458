"""What a service gives the chassis: which rows, what follows, and how they are written. It does no I/O at all.

The decider is Jérémie Chassaing's "Functional Event Sourcing Decider" (2021), here over rows instead of streams.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from chassis.messages import Body, Message
from chassis.writes import Write

Row = TypeVar("Row")


class Decider(ABC, Generic[Row]):
    """Load, decide, save; the chassis runs the SQL. Rows are dataclasses with a `version`, 0 before they are stored."""

    LOAD: ClassVar[str]
    """`select <key>, … from … where <key> = any($1)`."""

    BEGINS: ClassVar[tuple[type[Body], ...]]
    """Messages that most likely come before their row is there. A wrong guess costs time, nothing else."""

    @abstractmethod
    def key(self, message: Message) -> UUID:
        """The id of the one row that this message is about."""

    @abstractmethod
    def read(self, record: Mapping[str, Any]) -> Row:
        """A row of `LOAD`."""

    @abstractmethod
    def decide(self, row: Row | None, message: Message, now: datetime) -> tuple[Row | None, list[Message]]:
        """The row as it should be (None: there should be none) and what to send. Pure; raising refuses the message."""

    @abstractmethod
    def save(self, rows: list[Row]) -> list[Write]:
        """How these changed rows are written; each only if its stored version is the one that was decided on."""

    def withdraws(self, row: Row) -> bool:
        """Whether nothing that was to be sent for this row's key, now or earlier, is to be sent any more."""
        return False

    def remembered(self, row: Row) -> Row | None:
        """A row that was saved, as the next message finds it; None: not worth remembering."""
        return replace(row, version=row.version + 1)  # type: ignore[type-var, attr-defined]
