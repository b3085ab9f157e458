"""One run of a saga: what is stored of it, its log, and the messages about it that no step knows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from chassis.messages import Command, Event, Message
from saga_orchestrator.definition import Start


class TimedOut(Event):
    """The deadline of this attempt at the awaited command has passed, if nothing has happened to the saga since.

    An operator's retry, for instance, has given the same attempt another deadline.
    """

    awaiting: UUID
    attempt: int
    seq: int | None = None  # the saga's; logs of older versions have none


class Cancel(Command):
    """An operator wants the saga undone."""

    reason: str


class Retry(Command):
    """An operator wants the awaited command sent now instead of later."""

    reason: str


class Resolve(Command):
    """An operator has settled by hand what needed attention: the saga ends the way it was going."""

    reason: str


class Status(StrEnum):
    """RUNNING while it compensates too; out of the other two there is no way."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Direction(StrEnum):
    """Which way the saga walks over its steps."""

    FORWARD = "FORWARD"
    BACKWARD = "BACKWARD"


@dataclass(frozen=True, slots=True)
class SagaInstance:
    """One run of a saga: a row of `sagas`. Version 0 is not stored yet."""

    saga_id: UUID
    start: Start
    created_at: datetime
    definition: str
    """The fingerprint of the list in which `position` is one."""
    status: Status = Status.RUNNING
    step: str = "STARTED"
    reason: str | None = None
    position: int = 0
    direction: Direction = Direction.FORWARD
    awaiting: UUID | None = None
    attempt: int = 0
    deadline: datetime | None = None
    needs_attention: str | None = None
    seq: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class UnreadableSaga:
    """A stored saga that this version cannot read: what can be said of it."""

    saga_id: UUID
    created_at: datetime
    status: str
    step: str
    why: str


class Kind(StrEnum):
    """What a log entry tells: a message that counted, a command that was sent, a message that came too late."""

    RECEIVED = "RECEIVED"
    SENT = "SENT"
    LATE = "LATE"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A row of `saga_events`."""

    saga_id: UUID
    seq: int
    kind: Kind
    message: Message
    at: datetime
