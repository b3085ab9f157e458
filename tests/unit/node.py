"""One service in memory: it does what the chassis does with a message, and may die between any two lines."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from chassis.messages import Command, Event, Message

Row = Any
Decide = Callable[[Row | None, Message, datetime, bool], tuple[Row | None, list[Message]]]


class Crash(StrEnum):
    """The line before which a node dies."""

    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"
    BEFORE_SEND = "before send"
    BEFORE_MARK = "before mark"


class Dead(Exception):
    """The process was killed here; what it had in memory is gone."""


@dataclass(slots=True)
class OutboxRow:
    message: Message
    published: bool = False


@dataclass
class Node:
    """A database that survives, and a memory of what to send that does not."""

    decide: Decide
    key: Callable[[Message], UUID]
    rows: dict[UUID, Row] = field(default_factory=dict)
    inbox: set[UUID] = field(default_factory=set)
    outbox: dict[UUID, OutboxRow] = field(default_factory=dict)
    memory: list[Message] = field(default_factory=list)
    history: defaultdict[UUID, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Every status that a row has had."""

    def handle(self, message: Message, now: datetime, unlucky: bool = False, crash: Crash | None = None) -> Row:
        """One transaction, as in `chassis.unit_of_work`; the answers for the submitter are returned with the row."""
        again = [sent for sent in self.outbox.values() if sent.message.causation_id == message.id]
        if message.id in self.inbox and (again or isinstance(message.body, Event)):
            self._die(crash, Crash.BEFORE_COMMIT)
            for sent in again if isinstance(message.body, Command) else []:
                sent.published = False
                self.memory.append(sent.message)
            return self.rows.get(self.key(message)), []
        row, outgoing = self.decide(self.rows.get(self.key(message)), message, now, unlucky)
        self._die(crash, Crash.BEFORE_COMMIT)
        self.inbox.add(message.id)
        if row is not None:
            self._save(self.key(message), row)
        to_send = [m for m in outgoing if m.destination]
        self.outbox |= {m.id: OutboxRow(m) for m in to_send}
        self._die(crash, Crash.AFTER_COMMIT)
        self.memory += to_send
        return row, outgoing

    def _save(self, key: UUID, row: Row) -> None:
        status = getattr(row, "status", "")
        if not self.history[key] or self.history[key][-1] != status:
            self.history[key].append(status)
        self.rows[key] = row

    def send(self, put: Callable[[Message], None], crash: Crash | None = None) -> None:
        """The relay: send the oldest message from memory, then mark it."""
        message = self.memory.pop(0)
        self._die(crash, Crash.BEFORE_SEND)
        put(message)
        self._die(crash, Crash.BEFORE_MARK)
        if message.id in self.outbox:
            self.outbox[message.id].published = True

    def sweep(self) -> None:
        """What another process has left unsent."""
        known = {message.id for message in self.memory}
        self.memory += [r.message for i, r in self.outbox.items() if not r.published and i not in known]

    def prune(self) -> None:
        """Forget what was published long ago."""
        self.outbox = {i: row for i, row in self.outbox.items() if not row.published}

    def _die(self, crash: Crash | None, here: Crash) -> None:
        if crash is here:
            self.memory.clear()
            raise Dead(here)
