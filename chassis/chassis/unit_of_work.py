"""Load, decide, save: the three lines that every message goes through, for a whole batch in one transaction.

Mostly nothing is loaded. A batch is first decided on what this process remembers (its own last write of a row, or that
there is none yet), and the one statement that saves it refuses what another process has changed meanwhile. Only then
is it loaded and decided again. The unit of work is Fowler's ("Patterns of Enterprise Application Architecture", 2002).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, Generic
from uuid import UUID

from chassis import database, inbox, metrics, outbox
from chassis.clock import DatabaseClock
from chassis.crash import crash_point
from chassis.database import Connection, Pool
from chassis.decider import Decider, Row
from chassis.errors import ChassisError
from chassis.inbox import Entry
from chassis.memory import Memory
from chassis.messages import Body, Command, Message, by_type
from chassis.settings import Settings
from chassis.writes import Write, save

LOAD = f"""
select now() as now, handled.message_id as handled, handled.subject, row.*
from (values (1)) as always
left join (({inbox.HANDLED}) as handled full join ({{}}) as row on false) on true"""
"""The rows with the keys $1, which of the ids $2 are in the inbox and for what, and always the clock."""

KEY = 3
"""Where the key of the row stands in a record of LOAD."""

Outgoing = dict[UUID, list[Message]]
"""What is to be sent, by the inbox's id of the message that caused it."""


class Unsure(ChassisError):
    """What this process remembers led to no write, which would have checked it; load, and decide again."""


@dataclass(frozen=True, slots=True)
class Handled(Generic[Row]):
    """What a submitter gets back once its message is committed: the row as it is now, and what was sent."""

    row: Row | None
    outgoing: tuple[Message, ...] = ()


@dataclass(slots=True)
class Known(Generic[Row]):
    """What a batch is decided on: rows, the clock, the entries of its messages, those there before, their answers."""

    rows: dict[UUID, Row]
    now: datetime
    entries: list[Entry]
    handled: Mapping[UUID, int | None] = field(default_factory=dict)
    again: Outgoing = field(default_factory=dict)


class UnitOfWork(Generic[Row]):
    """Handles batches, one at a time."""

    def __init__(
        self,
        pool: Pool,
        decider: Decider[Row],
        settings: Settings,
        sends: Iterable[type[Body]],
        publish: Callable[[list[Message]], None],
        committed: Callable[[list[Row]], None],
    ) -> None:
        self._pool = pool
        self._decider = decider
        self._settings = settings
        self._sends: Mapping[str, type[Body]] = by_type(sends)
        self._publish = publish
        self._committed = committed
        self._load_sql = LOAD.format(decider.LOAD)
        self._memory: Memory[Row] = Memory(settings.memory_max_rows)
        self._clock = DatabaseClock()

    async def handle(self, messages: list[Message], *, reload: bool) -> list[Handled[Row]]:
        """All of them or none; what became of each. Decided on what is remembered; with `reload`, on what is stored.

        `SerializationError` and `UniqueViolationError` mean that another process was faster, or memory wrong;
        `Unsure`, that what is remembered does not suffice.
        """
        keys = [self._decider.key(message) for message in messages]
        types = [message.type for message in messages]
        async with self._pool.acquire(timeout=self._settings.pool_acquire_seconds) as connection:
            known = await self._load(connection, keys, messages, reload)
            changed, outgoing = self._decide(keys, messages, known)
            if not reload and len(changed) < len(set(keys)):
                raise Unsure
            withdrawn = {key for key, row in changed.items() if self._decider.withdraws(row)}
            sent = [message for message in _to_send(outgoing, known.again) if message.key not in withdrawn]
            fresh = {e for e in known.entries if e.id in outgoing and e.id not in known.handled}
            writes = self._writes(fresh, changed, sent, withdrawn, _other_causes(outgoing, known.again))
            crash_point("batch.before_commit", types)
            if writes:
                self._clock.heard(await save(connection, writes))
        crash_point("batch.committed", types)
        metrics.batch_size.observe(len(messages))
        for key, row in changed.items():
            self._memory.keep(key, self._decider.remembered(row))
        self._publish(sent)
        self._committed(list(changed.values()))
        return [
            Handled(known.rows.get(key), tuple(outgoing.get(entry.id) or known.again.get(entry.id) or ()))
            for key, entry in zip(keys, known.entries, strict=True)
        ]

    async def look(self) -> None:
        """Read nothing, from where batches are read, on a server that takes writes; raises what is wrong."""
        await database.read(self._pool, self._load_sql, [], [])
        await database.require_writes(self._pool)

    async def _load(
        self, connection: Connection, keys: list[UUID], messages: list[Message], reload: bool
    ) -> Known[Row]:
        """One SELECT for what is not remembered; with `reload` for all of it, and for who was here before."""
        rows = {} if reload else self._memory.recall(keys)
        begins = self._decider.BEGINS
        missing = {k for k, m in zip(keys, messages, strict=True) if k not in rows and not isinstance(m.body, begins)}
        now = self._clock.now()
        if now is not None and not missing and not reload:
            return Known(rows, now, inbox.entries(messages, {}))
        metrics.loads.inc()
        wanted, ids = (set(keys), inbox.possible_ids(messages)) if reload else (missing, [])
        records = await connection.fetch(self._load_sql, sorted(wanted), ids)
        rows |= dict(self._read(record) for record in records if record[KEY] is not None)
        handled = {record["handled"]: record["subject"] for record in records if record["handled"]}
        entries = inbox.entries(messages, handled)
        duplicates = {e.id: m for e, m in zip(entries, messages, strict=True) if e.id in handled}
        return Known(rows, records[0]["now"], entries, handled, await self._answered(connection, duplicates))

    def _read(self, record: Any) -> tuple[UUID, Row]:
        return record[KEY], database.understood(self._decider.read, dict(islice(record.items(), KEY, None)))

    async def _answered(self, connection: Connection, duplicates: Mapping[UUID, Message]) -> Outgoing:
        """Duplicates: a command with the answers that it once caused, an event with nothing.

        A command whose answers have been pruned, or cannot be read, is left out: it is decided again, from the row.
        """
        again: Outgoing = {i: [] for i, m in duplicates.items() if not isinstance(m.body, Command)}
        if commands := duplicates.keys() - again.keys():
            again |= await outbox.find_answers(connection, commands, self._sends)
        return again

    def _decide(self, keys: list[UUID], messages: list[Message], known: Known[Row]) -> tuple[dict[UUID, Row], Outgoing]:
        """One message after the other, on the row as the one before left it."""
        changed: dict[UUID, Row] = {}
        outgoing: Outgoing = {}
        for key, entry, message in zip(keys, known.entries, messages, strict=True):
            if entry.id in known.again or entry.id in outgoing:
                metrics.duplicates.labels(message.type).inc()
                continue
            before = known.rows.get(key)
            row, outgoing[entry.id] = self._decider.decide(before, message, known.now)
            if row is not None and row is not before:
                known.rows[key] = changed[key] = row
        return changed, outgoing

    def _writes(
        self,
        fresh: Collection[Entry],
        changed: Mapping[UUID, Row],
        sent: list[Message],
        withdrawn: Collection[UUID],
        causes: Mapping[UUID, UUID],
    ) -> list[Write]:
        """Sorted by key, so that two processes with overlapping batches wait for each other instead of deadlocking."""
        return [
            *([inbox.enter(fresh)] if fresh else []),
            *(self._decider.save([changed[key] for key in sorted(changed)]) if changed else []),
            *([outbox.write(sent, self._settings.relay_lease_seconds, causes)] if sent else []),
            *([outbox.withdraw(withdrawn)] if withdrawn else []),
        ]


def _to_send(*outgoing: Outgoing) -> list[Message]:
    """Each once, though two messages of a batch may have caused the same."""
    return list({m.id: m for some in outgoing for m in chain(*some.values()) if m.destination}.values())


def _other_causes(*outgoing: Outgoing) -> dict[UUID, UUID]:
    """The inbox's id of the cause, for the answers to a message whose own id stands there for another one."""
    answers = ((entry_id, m) for some in outgoing for entry_id, messages in some.items() for m in messages)
    return {m.id: entry_id for entry_id, m in answers if m.causation_id not in (entry_id, None)}
