"""The SQL of the orchestrator; one statement a function."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from chassis import database
from chassis.database import Pool
from chassis.writes import Write
from saga_orchestrator.definition import Saga
from saga_orchestrator.instance import Direction, LogEntry, SagaInstance, Status, TimedOut, UnreadableSaga
from saga_orchestrator.messages import StartCheckout, checkout_of

COLUMNS = """saga_id, start, created_at, status, step, reason, position, direction, awaiting, attempt, deadline,
       needs_attention, seq, version, definition"""
LOAD = f"""
select {COLUMNS}
from sagas where saga_id = any($1)"""

AFTER_ALL = 2**31 - 1
MOST_ENTRIES = 200
"""Of a log at once: that of a saga which is tried for ever grows for ever."""

INSERT_SAGAS = """
insert into sagas (saga_id, status, step, reason, position, direction, awaiting, attempt, deadline, needs_attention,
                   seq, version, definition, order_id, start, created_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::uuid[], $8::int[],
                     $9::timestamptz[], $10::text[], $11::int[], $12::int[], $13::text[], $14::uuid[],
                     $15::jsonb[], $16::timestamptz[])
on conflict (saga_id) do nothing"""

UPDATE_SAGAS = """
update sagas
set status = new.status, step = new.step, reason = new.reason, position = new.position, direction = new.direction,
    awaiting = new.awaiting, attempt = new.attempt, deadline = new.deadline, needs_attention = new.needs_attention,
    seq = new.seq, version = new.version, definition = new.definition, updated_at = now()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::uuid[], $8::int[],
            $9::timestamptz[], $10::text[], $11::int[], $12::int[], $13::text[])
  as new (saga_id, status, step, reason, position, direction, awaiting, attempt, deadline, needs_attention, seq,
          version, definition)
where sagas.saga_id = new.saga_id and sagas.version = new.version - 1"""

APPEND_LOG = """
insert into saga_events (saga_id, seq, kind, type, at, message_id, causation_id, body)
select * from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[], $7::uuid[],
                     $8::jsonb[])"""

KEEP_REQUESTS = """
insert into checkout_requests (idempotency_key, fingerprint, saga_id)
select * from unnest($1::text[], $2::text[], $3::uuid[])"""


def insert_sagas(sagas: Sequence[SagaInstance]) -> Write:
    """New sagas, each unless another process was faster."""
    start = [checkout_of(s).order_id for s in sagas], [s.start.to_json() for s in sagas], [s.created_at for s in sagas]
    return Write(INSERT_SAGAS, (*_progress(sagas), *start), rows=len(sagas))


def update_sagas(sagas: Sequence[SagaInstance]) -> Write:
    """Known sagas, each unless another process was faster; how a saga began never changes."""
    return Write(UPDATE_SAGAS, _progress(sagas), rows=len(sagas))


def append_log(entries: Sequence[LogEntry]) -> Write:
    """What happened; the key (saga, seq) refuses a second history."""
    return Write(
        APPEND_LOG,
        (
            [e.saga_id for e in entries],
            [e.seq for e in entries],
            [e.kind for e in entries],
            [e.message.type for e in entries],
            [e.at for e in entries],
            [e.message.id for e in entries],
            [e.message.causation_id for e in entries],
            [e.message.body.to_json() for e in entries],
        ),
    )


def keep_requests(starts: Sequence[StartCheckout]) -> Write:
    """Which idempotency key began which saga."""
    keys = [s.idempotency_key for s in starts]
    return Write(KEEP_REQUESTS, (keys, [s.fingerprint for s in starts], [s.saga_id for s in starts]))


async def find_sagas(pool: Pool, ids: Sequence[UUID]) -> list[SagaInstance | UnreadableSaga]:
    """The sagas with these ids."""
    return [read_if_possible(dict(row)) for row in await database.read(pool, LOAD, ids)]


async def keep_definition(pool: Pool, definition: Saga) -> None:
    """Store this list of steps, unless it is."""
    await pool.execute(
        "insert into saga_definitions (fingerprint, name, steps) values ($1, $2, $3) on conflict do nothing",
        definition.fingerprint,
        definition.name,
        definition.described,
    )


async def find_definitions(pool: Pool) -> dict[str, list[dict[str, Any]]]:
    """The lists of steps that were ever used, by their fingerprints."""
    rows = await pool.fetch("select fingerprint, steps from saga_definitions")
    return {row["fingerprint"]: orjson.loads(row["steps"]) for row in rows}


async def count_standing(pool: Pool) -> list[tuple[str, int, Direction, int]]:
    """How many sagas run: list, position in it, direction, number."""
    rows = await pool.fetch(
        "select definition, position, direction, count(*) from sagas where status = 'RUNNING' group by 1, 2, 3"
    )
    return [(row[0], row[1], Direction(row[2]), row[3]) for row in rows if row[2] in list(Direction)]


async def find_ended(pool: Pool, ids: Sequence[UUID]) -> list[SagaInstance]:
    """Those of these sagas that have ended and can be read."""
    rows = await pool.fetch(f"{LOAD} and status <> 'RUNNING'", ids)
    return [saga for row in rows if isinstance(saga := read_if_possible(dict(row)), SagaInstance)]


async def find_log(pool: Pool, saga_id: UUID, before: int = AFTER_ALL) -> list[dict[str, Any]]:
    """What happened to this saga, in order: the last entries before that `seq`, at most `MOST_ENTRIES`."""
    rows = await database.read(
        pool,
        "select seq, kind, type, at, message_id, causation_id, body from saga_events"
        " where saga_id = $1 and seq < $2 order by seq desc limit $3",
        saga_id,
        before,
        MOST_ENTRIES,
    )
    return [{**row, "body": orjson.loads(row["body"])} for row in reversed(rows)]


async def find_overdue(pool: Pool, most: int, furthest_seconds: float) -> list[TimedOut]:
    """The attempts whose deadline has passed on the database's clock, or is further away than any can be.

    The latter when that clock has been set back. Whoever handles one checks again.
    """
    rows = await pool.fetch(
        "select saga_id, awaiting, attempt, seq from sagas where status = 'RUNNING'"
        " and (deadline < now() or deadline > now() + make_interval(secs => $2)) order by deadline limit $1",
        most,
        furthest_seconds,
    )
    return [TimedOut(**row) for row in rows]


async def find_running(pool: Pool, ids: Sequence[UUID]) -> list[UUID]:
    """Those of these sagas that have not ended."""
    rows = await pool.fetch("select saga_id from sagas where saga_id = any($1) and status = 'RUNNING'", ids)
    return [row["saga_id"] for row in rows]


def _progress(sagas: Sequence[SagaInstance]) -> tuple[list[Any], ...]:
    """What changes while a saga runs, column by column."""
    return (
        [s.saga_id for s in sagas],
        [s.status for s in sagas],
        [s.step for s in sagas],
        [s.reason for s in sagas],
        [s.position for s in sagas],
        [s.direction for s in sagas],
        [s.awaiting for s in sagas],
        [s.attempt for s in sagas],
        [s.deadline for s in sagas],
        [s.needs_attention for s in sagas],
        [s.seq for s in sagas],
        [s.version + 1 for s in sagas],
        [s.definition for s in sagas],
    )


def read(row: Mapping[str, Any]) -> SagaInstance:
    """A row of `LOAD`."""
    start = StartCheckout.model_validate_json(row["start"])
    enums = {"status": Status(row["status"]), "direction": Direction(row["direction"])}
    return SagaInstance(**{**row, **enums, "start": start})


def read_if_possible(row: Mapping[str, Any]) -> SagaInstance | UnreadableSaga:
    """The same, of a row that may be damaged or another version's: it keeps nobody from the others."""
    try:
        return read(row)
    except ValueError as error:
        why = f"cannot be read: {' '.join(str(error).split())}"
        return UnreadableSaga(row["saga_id"], row["created_at"], row["status"], row["step"], why)
