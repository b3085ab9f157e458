"""The SQL of the payment service; one statement a function."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from chassis import database
from chassis.database import Pool
from chassis.writes import Write
from payment_service.payments import Payment, Status

LOAD = "select order_id, saga_id, amount, status, created_at, reason, version from payments where order_id = any($1)"

SAVE = """
insert into payments (order_id, saga_id, amount, status, created_at, reason, version)
select * from unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::timestamptz[], $6::text[], $7::int[])
on conflict (order_id) do update
set status = excluded.status, updated_at = now(), reason = excluded.reason, version = excluded.version
where payments.version = excluded.version - 1"""


def save(payments: list[Payment]) -> Write:
    """Insert the new and update the known, each unless another process was faster."""
    return Write(
        SAVE,
        (
            [p.order_id for p in payments],
            [p.saga_id for p in payments],
            [p.amount for p in payments],
            [p.status for p in payments],
            [p.created_at for p in payments],
            [p.reason for p in payments],
            [p.version + 1 for p in payments],
        ),
        rows=len(payments),
    )


async def find_payment(pool: Pool, order_id: UUID) -> Payment | None:
    """The payment of this order."""
    rows = await database.read(pool, LOAD, [order_id])
    return database.understood(read, dict(rows[0])) if rows else None


def read(row: Mapping[str, Any]) -> Payment:
    """A row of `LOAD`."""
    return Payment(**{**row, "status": Status(row["status"])})
