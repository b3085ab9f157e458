"""The queue in front of a database: whatever is waiting becomes one transaction.

One message when idle, hundreds under load; the path is the same. Nothing inside one process races,
and between processes the row locks decide.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic
from uuid import UUID

import asyncpg
import structlog

from chassis import inbox, metrics, outbox
from chassis.crash import crash_point
from chassis.database import INFRASTRUCTURE_ERRORS, Connection, Pool, transaction
from chassis.decider import Decider, Row
from chassis.errors import Conflict, Overloaded, Unavailable
from chassis.loops import Backoff
from chassis.messages import Body, Command, Message, by_type
from chassis.settings import Settings

log = structlog.get_logger()

CONFLICTS = (Conflict, asyncpg.UniqueViolationError)
"""Another process inserted the same row first: roll back and decide again on what is there now."""


@dataclass(frozen=True, slots=True)
class Handled(Generic[Row]):
    """What a submitter gets back once its message is committed: the row as it is now, and what was sent."""

    row: Row | None
    outgoing: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Row]):
    """A message in the queue. A patient one outlives an outage of the database, another is refused at once."""

    message: Message
    future: "asyncio.Future[Handled[Row]]"
    patient: bool


class Batcher(Generic[Row]):
    """Runs load, decide, save over batches; hands each submitter its own result or its own error."""

    def __init__(
        self,
        pool: Pool,
        decider: Decider[Row],
        settings: Settings,
        sends: Iterable[type[Body]] = (),
        publish: Callable[[list[Message]], None] = lambda _: None,
        committed: Callable[[list[Row]], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._decider = decider
        self._settings = settings
        self._sends: Mapping[str, type[Body]] = by_type(sends)
        self._publish = publish
        self._committed = committed
        self._queue: list[Waiting[Row]] = []
        self._work = asyncio.Event()
        self._last_size = 0
        self._pausing = False
        self._backoff = Backoff(settings.retry_first_seconds, settings.retry_max_seconds)

    def put(self, message: Message, *, patient: bool = True) -> "asyncio.Future[Handled[Row]]":
        """Queue a message that must be handled, however long that takes; the future gets its outcome."""
        future: asyncio.Future[Handled[Row]] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(message, future, patient))
        self._work.set()
        return future

    async def submit(self, message: Message) -> Handled[Row]:
        """Queue a message of somebody who can be told to come back: `Overloaded`, `Unavailable`."""
        if len(self._queue) >= self._settings.queue_max_messages:
            raise Overloaded("the queue is full")
        if self._pausing:
            raise Unavailable("the database is away")
        return await self.put(message, patient=False)

    async def run(self) -> None:
        """Take what waits, for ever."""
        while True:
            await self._work.wait()
            if self._last_size >= self._settings.batch_busy_messages:
                await asyncio.sleep(self._settings.batch_window_ms / 1000)
            batch = self._queue[: self._settings.batch_max_messages]
            del self._queue[: len(batch)]
            if not self._queue:
                self._work.clear()
            self._last_size = len(batch)
            await self._handle(batch)

    async def _handle(self, batch: list[Waiting[Row]]) -> None:
        conflicts = 0
        while batch := [waiting for waiting in batch if not waiting.future.done()]:
            try:
                results = await self._transact([waiting.message for waiting in batch])
            except INFRASTRUCTURE_ERRORS as error:
                await self._outlast(batch, error)
            except Exception as error:
                conflicts += 1
                if not isinstance(error, CONFLICTS) or conflicts >= self._settings.conflict_tries:
                    await self._blame(batch, error)
                    break
            else:
                self._backoff.reset()
                for waiting, handled in zip(batch, results, strict=True):
                    if not waiting.future.done():
                        waiting.future.set_result(handled)

    async def _outlast(self, batch: list[Waiting[Row]], error: Exception) -> None:
        """The database is away: whoever can come back is told so, the others wait."""
        log.warning("the database is away, the batch will be repeated", messages=len(batch), error=repr(error))
        for waiting in batch:
            if not waiting.patient:
                _fail(waiting, Unavailable("the database is away"))
        self._pausing = True
        await self._backoff.pause()
        self._pausing = False  # the next to come is let through, and finds out

    async def _blame(self, batch: list[Waiting[Row]], error: Exception) -> None:
        """A batch with a bad message in it: run one by one, so that only the bad one fails."""
        if len(batch) == 1:
            _fail(batch[0], error)
            return
        for waiting in batch:
            await self._handle([waiting])

    async def _transact(self, messages: list[Message]) -> list[Handled[Row]]:
        """The three lines that everything goes through."""
        lease = self._settings.relay_lease_seconds
        key = self._decider.key
        keys = [key(message) for message in messages]
        types = [message.type for message in messages]
        async with transaction(self._pool, self._settings.pool_acquire_seconds) as connection:
            now, fresh = await inbox.claim(connection, {message.id for message in messages})
            again = await self._answered_before(connection, messages, fresh)
            rows = await self._decider.load(connection, sorted(set(keys)))
            changed: dict[UUID, Row] = {}
            outgoing: dict[UUID, list[Message]] = {}
            for row_id, message in zip(keys, messages, strict=True):
                if message.id not in fresh and (message.id in again or message.id in outgoing):
                    metrics.duplicates.labels(message.type).inc()
                    continue
                fresh.discard(message.id)
                row, outgoing[message.id] = self._decider.decide(rows.get(row_id), message, now)
                if row is not None and row is not rows.get(row_id):
                    rows[row_id] = changed[row_id] = row
            sent = list({m.id: m for caused in outgoing.values() for m in caused if m.destination}.values())
            if changed:
                await self._decider.save(connection, list(changed.values()))
            if sent:
                await outbox.insert(connection, sent, lease)
            crash_point("batch.before_commit", types)
        crash_point("batch.committed", types)
        metrics.batch_size.observe(len(messages))
        self._publish([*sent, *(m for answers in again.values() for m in answers)])
        self._committed(list(changed.values()))
        return [
            Handled(rows.get(row_id), tuple(outgoing.get(message.id) or again.get(message.id) or ()))
            for row_id, message in zip(keys, messages, strict=True)
        ]

    async def _answered_before(
        self, connection: Connection, messages: list[Message], fresh: set[UUID]
    ) -> dict[UUID, list[Message]]:
        """Duplicates by id: a command with the answers that it once caused, an event with nothing.

        A command whose answers have been pruned is left out: it is decided again, from the row.
        """
        duplicates = {m.id: m for m in messages if m.id not in fresh}
        again: dict[UUID, list[Message]] = {i: [] for i, m in duplicates.items() if not isinstance(m.body, Command)}
        commands = duplicates.keys() - again.keys()
        if commands:
            lease = self._settings.relay_lease_seconds
            for answer in await outbox.answer_again(connection, commands, self._sends, lease):
                assert answer.causation_id is not None
                again.setdefault(answer.causation_id, []).append(answer)
        return again


def _fail(waiting: Waiting[Row], error: Exception) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
