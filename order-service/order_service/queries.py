"""The SQL of the order service; one statement a function."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from chassis import database
from chassis.database import Pool
from chassis.writes import Write
from order_service.orders import Order, Status

LOAD = "select order_id, user_id, total_amount, status, created_at, version from orders where order_id = any($1)"

SAVE = """
insert into orders (order_id, user_id, total_amount, status, created_at, version)
select * from unnest($1::uuid[], $2::text[], $3::numeric[], $4::text[], $5::timestamptz[], $6::int[])
on conflict (order_id) do update
set status = excluded.status, updated_at = now(), version = excluded.version
where orders.version = excluded.version - 1"""


def save(orders: list[Order]) -> Write:
    """Insert the new and update the known, each unless another process was faster."""
    return Write(
        SAVE,
        (
            [o.order_id for o in orders],
            [o.user_id for o in orders],
            [o.total_amount for o in orders],
            [o.status for o in orders],
            [o.created_at for o in orders],
            [o.version + 1 for o in orders],
        ),
        rows=len(orders),
    )


async def find_order(pool: Pool, order_id: UUID) -> Order | None:
    """The order with this id."""
    rows = await database.read(pool, LOAD, [order_id])
    return database.understood(read, dict(rows[0])) if rows else None


def read(row: Mapping[str, Any]) -> Order:
    """A row of `LOAD`."""
    return Order(**{**row, "status": Status(row["status"])})
