"""The SQL of the orchestrator; one statement a function."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from chassis import database
from chassis.database import Pool
from chassis.writes import Write
from saga_orchestrator.instance import Direction, LogEntry, SagaInstance, Status, TimedOut
from saga_orchestrator.messages import StartCheckout, checkout_of

COLUMNS = """saga_id, start, created_at, status, step, reason, position, direction, awaiting, attempt, deadline,
       needs_attention, seq, version"""
NAMES = [field.name for field in fields(SagaInstance)]
LOAD = f"""
select {COLUMNS}
from sagas where saga_id = any($1)"""

AFTER_ALL = 2**31 - 1
MOST_ENTRIES = 200
"""Of a log at once: that of a saga which is tried for ever grows for ever."""

PAGE = 50
LOOKED_THROUGH = 1_000
"""Sagas that a page or a count looks at, however many are stored: nobody pays for an index of what has ended."""
NEWEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class Show(StrEnum):
    """Which sagas."""

    ALL = "ALL"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ATTENTION = "ATTENTION"


SOURCES = {
    Show.ALL: ("sagas", "true"),
    Show.RUNNING: (f"(select {COLUMNS} from sagas where status = 'RUNNING' offset 0)", "true"),
    Show.COMPLETED: ("sagas", "status = 'COMPLETED'"),
    Show.FAILED: ("sagas", "status = 'FAILED'"),
    Show.ATTENTION: (f"(select {COLUMNS} from sagas where needs_attention is not null offset 0)", "true"),
}
"""What is looked at, and what of it is shown. The few that run have indexes; `offset 0` has them read first."""

INSERT_SAGAS = """
insert into sagas (saga_id, status, step, reason, position, direction, awaiting, attempt, deadline, needs_attention,
                   seq, version, order_id, start, created_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::uuid[], $8::int[],
                     $9::timestamptz[], $10::text[], $11::int[], $12::int[], $13::uuid[], $14::jsonb[],
                     $15::timestamptz[])
on conflict (saga_id) do nothing"""

UPDATE_SAGAS = """
update sagas
set status = new.status, step = new.step, reason = new.reason, position = new.position, direction = new.direction,
    awaiting = new.awaiting, attempt = new.attempt, deadline = new.deadline, needs_attention = new.needs_attention,
    seq = new.seq, version = new.version, updated_at = now()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::uuid[], $8::int[],
            $9::timestamptz[], $10::text[], $11::int[], $12::int[])
  as new (saga_id, status, step, reason, position, direction, awaiting, attempt, deadline, needs_attention, seq,
          version)
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


async def find_sagas(pool: Pool, ids: Sequence[UUID]) -> list[SagaInstance]:
    """The sagas with these ids."""
    return [read(dict(row)) for row in await database.read(pool, LOAD, ids)]


async def find_ended(pool: Pool, ids: Sequence[UUID]) -> list[SagaInstance]:
    """Those of these sagas that have ended."""
    return [read(dict(row)) for row in await pool.fetch(f"{LOAD} and status <> 'RUNNING'", ids)]


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
    return [dict(row) for row in reversed(rows)]


async def find_page(
    pool: Pool, show: Show, before: tuple[datetime, UUID] = NEWEST
) -> tuple[list[SagaInstance], UUID | None]:
    """The newest of these sagas that are older than that, and the one before which to look for more, if any."""
    looked_at, wanted = SOURCES[show]
    rows = await database.read(
        pool,
        f"""
        select *, {wanted} as wanted from (
            select {COLUMNS}, row_number() over (order by created_at desc, saga_id desc) as place
            from {looked_at} as sagas where (created_at, saga_id) < ($1, $2)
            order by created_at desc, saga_id desc limit {LOOKED_THROUGH}
        ) as looked_at where {wanted} or place = {LOOKED_THROUGH}
        order by created_at desc, saga_id desc limit {PAGE + 1}""",
        *before,
    )
    page = rows[:PAGE]
    more = len(rows) > PAGE or (rows and rows[-1]["place"] == LOOKED_THROUGH)
    sagas = [read({name: row[name] for name in NAMES}) for row in page if row["wanted"]]
    return sagas, page[-1]["saga_id"] if more else None


async def count_sagas(pool: Pool) -> dict[Show, int]:
    """How many run and need attention, at most `LOOKED_THROUGH` each; how the latest `LOOKED_THROUGH` have ended."""
    (counts,) = await database.read(
        pool,
        f"""
        with running as (select from sagas where status = 'RUNNING' limit {LOOKED_THROUGH}),
             attention as (select from sagas where needs_attention is not null limit {LOOKED_THROUGH}),
             latest as (select status from sagas order by created_at desc limit {LOOKED_THROUGH})
        select (select count(*) from running) as "RUNNING", (select count(*) from attention) as "ATTENTION",
               count(*) filter (where status = 'COMPLETED') as "COMPLETED",
               count(*) filter (where status = 'FAILED') as "FAILED"
        from latest""",
    )
    return {Show(name): count for name, count in counts.items()}


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
    )


def read(row: Mapping[str, Any]) -> SagaInstance:
    """A row of `LOAD`."""
    start = StartCheckout.model_validate_json(row["start"])
    enums = {"status": Status(row["status"]), "direction": Direction(row["direction"])}
    return SagaInstance(**{**row, **enums, "start": start})
