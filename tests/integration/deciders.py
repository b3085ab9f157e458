"""Counters that misbehave, each in one way, and a batcher around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from chassis import inbox
from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.errors import Hopeless
from chassis.loops import background
from chassis.messages import Message
from chassis.settings import Settings
from chassis.writes import Write
from tests.integration.counters import Added, Counter, Counters, ThirteenRefused

DIE = """
insert into inbox select gen_random_uuid()
where pg_terminate_backend(pg_backend_pid()) and pg_sleep(1) is not null"""

SLEEP = "insert into inbox select gen_random_uuid() where pg_sleep($1) is null"

TAKEN = uuid4()


@asynccontextmanager
async def batching(pool: Pool, settings: Settings, decider: Counters | None = None) -> AsyncIterator[Batcher[Counter]]:
    """A batcher that runs."""
    batcher = Batcher(pool, decider or Counters(), settings, sends=[Added])
    async with background(batcher=batcher.run):
        yield batcher


class ConnectionDiesOnce(Counters):
    """The server ends the connection in the middle of the first save."""

    died = False

    def save(self, rows: list[Counter]) -> list[Write]:
        fatal, self.died = not self.died, True
        return [*super().save(rows), *([Write(DIE, ())] if fatal else [])]


class SavesSlowly(Counters):
    """Each row takes its time."""

    def save(self, rows: list[Counter]) -> list[Write]:
        return [*super().save(rows), Write(SLEEP, (0.4 * len(rows),))]


class RemembersNothing(Counters):
    """Nothing of what it has written, as if another process had."""

    def remembered(self, _: Counter) -> None:
        return None


class WritesWhatNeverWorks(Counters):
    """A total of 7 misses a row, one of 8 enters an id that is `TAKEN`; no repetition mends that."""

    def save(self, rows: list[Counter]) -> list[Write]:
        totals = {row.total for row in rows}
        (counters,) = super().save(rows)
        touched = replace(counters, rows=len(rows) + (7 in totals))
        return [touched, *([Write(inbox.INSERT, ([TAKEN], [0]))] if 8 in totals else [])]


class WritesNothingForZero(Counters):
    """Whose addition leaves the row as it is."""

    def decide(self, row: Counter | None, message: Message, now: datetime) -> tuple[Counter, list[Message]]:
        counter, answers = super().decide(row, message, now)
        return row if row and row.total == counter.total else counter, answers


class HoldsTenAtMost(Counters):
    """A counter that would hold more is refused."""

    def decide(self, row: Counter | None, message: Message, now: datetime) -> tuple[Counter, list[Message]]:
        counter, answers = super().decide(row, message, now)
        if counter.total > 10:
            raise OverflowError("11 is too much")
        return counter, answers


class FailsToSave(Counters):
    """As often as it is told to, with this error."""

    def __init__(self, error: Exception, times: int) -> None:
        super().__init__()
        self._error = error
        self._left = times

    def save(self, rows: list[Counter]) -> list[Write]:
        if self._left:
            self._left -= 1
            raise self._error
        return super().save(rows)


class RefusesTwice(Counters):
    """Whatever comes first, and whatever comes second."""

    refusals = 2

    def decide(self, row: Counter | None, message: Message, now: datetime) -> tuple[Counter, list[Message]]:
        if self.refusals:
            self.refusals -= 1
            raise RuntimeError("not now")
        return super().decide(row, message, now)


class FindsThirteenHopeless(Counters):
    """Where the others would try again."""

    def decide(self, row: Counter | None, message: Message, now: datetime) -> tuple[Counter, list[Message]]:
        try:
            return super().decide(row, message, now)
        except ThirteenRefused as error:
            raise Hopeless(str(error)) from error


class RecordsKeys(Counters):
    """Of all messages that it decided on."""

    def __init__(self, added: type[Added]) -> None:
        super().__init__(added)
        self.keys: set[UUID] = set()

    def decide(self, row: Counter | None, message: Message, now: datetime) -> tuple[Counter, list[Message]]:
        self.keys.add(message.key)
        return super().decide(row, message, now)
