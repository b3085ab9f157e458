"""The SQL of the order service; one statement a function."""

from typing import Any
from uuid import UUID

from chassis.database import Connection, Pool
from chassis.errors import Conflict
from order_service.orders import Order, Status

COLUMNS = "order_id, user_id, total_amount, status, created_at, version"

SAVE = """
insert into orders (order_id, user_id, total_amount, status, created_at, version)
select * from unnest($1::uuid[], $2::text[], $3::numeric[], $4::text[], $5::timestamptz[], $6::int[])
on conflict (order_id) do update
set status = excluded.status, updated_at = now(), version = excluded.version
where orders.version = excluded.version - 1"""


async def lock_orders(connection: Connection, ids: list[UUID]) -> dict[UUID, Order]:
    """The orders with these ids, locked in this order."""
    rows = await connection.fetch(
        f"select {COLUMNS} from orders where order_id = any($1) order by order_id for update", ids
    )
    return {row["order_id"]: _order(row) for row in rows}


async def save_orders(connection: Connection, orders: list[Order]) -> None:
    """Insert the new and update the known; `Conflict` if another process was faster."""
    done = await connection.execute(
        SAVE,
        [o.order_id for o in orders],
        [o.user_id for o in orders],
        [o.total_amount for o in orders],
        [o.status for o in orders],
        [o.created_at for o in orders],
        [o.version + 1 for o in orders],
    )
    if done != f"INSERT 0 {len(orders)}":
        raise Conflict("another process changed an order first")


async def find_order(pool: Pool, order_id: UUID) -> Order | None:
    """The order with this id."""
    row = await pool.fetchrow(f"select {COLUMNS} from orders where order_id = $1", order_id)
    return _order(row) if row else None


def _order(row: Any) -> Order:
    return Order(**{**row, "status": Status(row["status"])})
