"""The SQL of the payment service; one statement a function."""

from typing import Any
from uuid import UUID

from chassis.database import Connection, Pool
from chassis.errors import Conflict
from payment_service.payments import Payment, Status

COLUMNS = "order_id, saga_id, amount, status, created_at, reason, version"

SAVE = """
insert into payments (order_id, saga_id, amount, status, created_at, reason, version)
select * from unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::timestamptz[], $6::text[], $7::int[])
on conflict (order_id) do update
set status = excluded.status, updated_at = now(), reason = excluded.reason, version = excluded.version
where payments.version = excluded.version - 1"""


async def lock_payments(connection: Connection, order_ids: list[UUID]) -> dict[UUID, Payment]:
    """The payments of these orders, locked in this order."""
    rows = await connection.fetch(
        f"select {COLUMNS} from payments where order_id = any($1) order by order_id for update", order_ids
    )
    return {row["order_id"]: _payment(row) for row in rows}


async def save_payments(connection: Connection, payments: list[Payment]) -> None:
    """Insert the new and update the known; `Conflict` if another process was faster."""
    done = await connection.execute(
        SAVE,
        [p.order_id for p in payments],
        [p.saga_id for p in payments],
        [p.amount for p in payments],
        [p.status for p in payments],
        [p.created_at for p in payments],
        [p.reason for p in payments],
        [p.version + 1 for p in payments],
    )
    if done != f"INSERT 0 {len(payments)}":
        raise Conflict("another process changed a payment first")


async def find_payment(pool: Pool, order_id: UUID) -> Payment | None:
    """The payment of this order."""
    row = await pool.fetchrow(f"select {COLUMNS} from payments where order_id = $1", order_id)
    return _payment(row) if row else None


def _payment(row: Any) -> Payment:
    return Payment(**{**row, "status": Status(row["status"])})
