"""The SQL of the orchestrator; one statement a function."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chassis.database import Connection, Pool
from chassis.errors import Conflict
from saga_orchestrator.messages import StartCheckout
from saga_orchestrator.saga import Direction, LogEntry, SagaInstance, Status, TimedOut

COLUMNS = (
    "saga_id, start, created_at, status, step, reason, position, direction, awaiting, attempt, deadline,"
    " needs_attention, seq, version"
)

SAVE_SAGAS = """
insert into sagas (saga_id, order_id, start, created_at, status, step, reason, position, direction, awaiting, attempt,
                   deadline, needs_attention, seq, version)
select * from unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                     $8::int[], $9::text[], $10::uuid[], $11::int[], $12::timestamptz[], $13::text[], $14::int[],
                     $15::int[])
on conflict (saga_id) do update
set status = excluded.status, step = excluded.step, reason = excluded.reason, position = excluded.position,
    direction = excluded.direction, awaiting = excluded.awaiting, attempt = excluded.attempt,
    deadline = excluded.deadline, needs_attention = excluded.needs_attention, seq = excluded.seq,
    version = excluded.version, updated_at = now()
where sagas.version = excluded.version - 1"""

APPEND_LOG = """
insert into saga_events (saga_id, seq, kind, type, at, message_id, causation_id, body)
select * from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[], $7::uuid[],
                     $8::jsonb[])"""

KEEP_REQUESTS = """
insert into checkout_requests (idempotency_key, fingerprint, saga_id)
select * from unnest($1::text[], $2::text[], $3::uuid[])"""


async def lock_sagas(connection: Connection, ids: list[UUID]) -> dict[UUID, SagaInstance]:
    """The sagas with these ids, locked in this order."""
    rows = await connection.fetch(
        f"select {COLUMNS} from sagas where saga_id = any($1) order by saga_id for update", ids
    )
    return {row["saga_id"]: _saga(row) for row in rows}


async def save_sagas(connection: Connection, sagas: Sequence[SagaInstance]) -> None:
    """Insert the new and update the known; `Conflict` if another process was faster."""
    done = await connection.execute(
        SAVE_SAGAS,
        [s.saga_id for s in sagas],
        [_start(s).order_id for s in sagas],
        [s.start.to_json() for s in sagas],
        [s.created_at for s in sagas],
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
    if done != f"INSERT 0 {len(sagas)}":
        raise Conflict("another process changed a saga first")


async def append_log(connection: Connection, entries: Sequence[LogEntry]) -> None:
    """Write what happened; the key (saga, seq) refuses a second history."""
    await connection.execute(
        APPEND_LOG,
        [e.saga_id for e in entries],
        [e.seq for e in entries],
        [e.kind for e in entries],
        [e.message.type for e in entries],
        [e.at for e in entries],
        [e.message.id for e in entries],
        [e.message.causation_id for e in entries],
        [e.message.body.to_json() for e in entries],
    )


async def keep_requests(connection: Connection, starts: Sequence[StartCheckout]) -> None:
    """Remember which idempotency key began which saga."""
    keys = [s.idempotency_key for s in starts]
    await connection.execute(KEEP_REQUESTS, keys, [s.fingerprint for s in starts], [s.saga_id for s in starts])


async def find_sagas(pool: Pool, ids: Sequence[UUID]) -> list[SagaInstance]:
    """The sagas with these ids."""
    return [_saga(row) for row in await pool.fetch(f"select {COLUMNS} from sagas where saga_id = any($1)", ids)]


async def find_log(pool: Pool, saga_id: UUID) -> list[dict[str, Any]]:
    """What happened to this saga, in order."""
    rows = await pool.fetch(
        "select seq, kind, type, at, message_id, causation_id, body from saga_events where saga_id = $1 order by seq",
        saga_id,
    )
    return [dict(row) for row in rows]


async def find_overdue(pool: Pool, most: int) -> list[TimedOut]:
    """The attempts whose deadline has passed on the database's clock. Whoever handles one locks and checks again."""
    rows = await pool.fetch(
        "select saga_id, awaiting, attempt from sagas where status = 'RUNNING' and deadline < now()"
        " order by deadline limit $1",
        most,
    )
    return [TimedOut(**row) for row in rows]


def _start(saga: SagaInstance) -> StartCheckout:
    assert isinstance(saga.start, StartCheckout)
    return saga.start


def _saga(row: Any) -> SagaInstance:
    start = StartCheckout.model_validate_json(row["start"])
    enums = {"status": Status(row["status"]), "direction": Direction(row["direction"])}
    return SagaInstance(**{**row, **enums, "start": start})
