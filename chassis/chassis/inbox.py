"""Which messages were handled already: the inbox pattern (idempotent consumer).

A message is entered under its id. A stranger may give one id to several messages, that of their saga for instance. So
the subject of a message stands beside its id, and a message whose id stands for another one is entered under a second
id, made of both.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from chassis.messages import Message
from chassis.writes import Write

HANDLED: Final = "select message_id, subject from inbox where message_id = any($2)"
"""A part of `unit_of_work.LOAD`, whose $1 are the keys of rows."""

INSERT: Final = "insert into inbox (message_id, subject) select * from unnest($1::uuid[], $2::bigint[])"


class Entry(NamedTuple):
    """A row of `inbox`."""

    id: UUID
    subject: int = 0


def subject_of(message: Message) -> int:
    """Its type and the ids that it names, in 64 bits: the same whenever the same message comes."""
    named = sorted(value.bytes for value in vars(message.body).values() if isinstance(value, UUID))
    digest = blake2b(b"".join((message.type.encode(), *named)), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def entries(messages: Iterable[Message], handled: Mapping[UUID, int | None]) -> list[Entry]:
    """What becomes of each, when these ids are there with these subjects; rows of older versions are about anything."""
    subjects = dict(handled)
    found = []
    for message in messages:
        subject = subject_of(message)
        taken = subjects.setdefault(message.id, subject) not in (subject, None)
        found.append(Entry(_second_id(message.id, subject) if taken else message.id, subject))
    return found


def possible_ids(messages: Sequence[Message]) -> list[UUID]:
    """All ids that these messages may have been entered under."""
    return [m.id for m in messages] + [_second_id(m.id, subject_of(m)) for m in messages]


def enter(new: Iterable[Entry]) -> Write:
    """Note these; `UniqueViolationError` if one of their ids is there already.

    Sorted, so that two processes with overlapping batches wait for each other instead of deadlocking.
    """
    rows = sorted(new, key=lambda entry: entry.id)
    return Write(INSERT, ([entry.id for entry in rows], [entry.subject for entry in rows]))


def _second_id(message_id: UUID, subject: int) -> UUID:
    return uuid5(message_id, str(subject))
