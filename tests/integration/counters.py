"""The smallest service that there can be: it adds numbers up, and everybody sees it if a number is added twice."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import asyncpg

from chassis.decider import Decider
from chassis.messages import Body, Command, Event, Message
from chassis.writes import Write

MIGRATIONS = Path(__file__).with_name("migrations")


class Add(Command):
    """Add the number; 13 is never added."""

    destination: ClassVar[str] = "counters.add"
    number: int = 1


class Noted(Event):
    """Somebody else has added the number; nobody waits for an answer."""

    destination: ClassVar[str] = "counters.noted"
    number: int = 1


class Added(Event):
    """What the total was then."""

    destination: ClassVar[str] = "counters.added"
    total: int


class ThirteenRefused(Exception):
    """By every counter."""


@dataclass(frozen=True)
class Bodies:
    """The three messages on topics of one test's own."""

    prefix: str
    add: type[Add]
    noted: type[Noted]
    added: type[Added]

    @property
    def topics(self) -> list[str]:
        return [body.destination for body in (self.add, self.noted, self.added)]


def bodies(prefix: str) -> Bodies:
    def at(body: type[Body]) -> type[Body]:
        return type(body.__name__, (body,), {"destination": f"{prefix}.{body.__name__.lower()}"})

    return Bodies(prefix, at(Add), at(Noted), at(Added))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Counter:
    counter_id: UUID
    total: int = 0
    version: int = 0


SAVE = """
insert into counters select * from unnest($1::uuid[], $2::int[], $3::int[])
on conflict (counter_id) do update set total = excluded.total, version = excluded.version
where counters.version = excluded.version - 1"""


class Counters(Decider[Counter]):
    """Whose first message comes before its row, unless it is a `Noted`."""

    LOAD = "select counter_id, total, version from counters where counter_id = any($1)"
    BEGINS = (Add,)

    def __init__(self, added: type[Added] = Added) -> None:
        self._added = added

    def key(self, message: Message) -> UUID:
        return message.key

    def read(self, record: Mapping[str, Any]) -> Counter:
        return Counter(**record)

    def decide(self, row: Counter | None, message: Message, now: datetime) -> tuple[Counter, list[Message]]:
        assert isinstance(message.body, Add | Noted)
        if message.body.number == 13:
            raise ThirteenRefused("13 is never added")
        counter = row or Counter(message.key)
        counter = replace(counter, total=counter.total + message.body.number)
        answers = [self._added(saga_id=message.key, total=counter.total)] if isinstance(message.body, Add) else []
        return counter, [message.cause(answer) for answer in answers]

    def save(self, rows: list[Counter]) -> list[Write]:
        columns = [r.counter_id for r in rows], [r.total for r in rows], [r.version + 1 for r in rows]
        return [Write(SAVE, columns, rows=len(rows))]


def add(number: int = 1, counter_id: UUID | None = None) -> Message:
    """To a counter that nobody else knows, unless one is given."""
    return Message.new(Add(saga_id=counter_id or uuid4(), number=number))


async def total(pool: "asyncpg.Pool[asyncpg.Record]", counter_id: UUID) -> int | None:
    """What the database says."""
    found: int | None = await pool.fetchval("select total from counters where counter_id = $1", counter_id)
    return found
