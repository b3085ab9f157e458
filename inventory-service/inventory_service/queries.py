"""The SQL of the inventory service; one statement a function."""

from typing import Any
from uuid import UUID

from chassis.database import Connection, Pool
from chassis.errors import Conflict
from inventory_service.reservations import Reservation, Status

COLUMNS = "order_id, saga_id, status, created_at, reason, version"

SAVE = """
insert into reservations (order_id, saga_id, status, created_at, reason, version)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::int[])
on conflict (order_id) do update
set status = excluded.status, updated_at = now(), reason = excluded.reason, version = excluded.version
where reservations.version = excluded.version - 1"""


async def lock_reservations(connection: Connection, order_ids: list[UUID]) -> dict[UUID, Reservation]:
    """The reservations of these orders, locked in this order."""
    rows = await connection.fetch(
        f"select {COLUMNS} from reservations where order_id = any($1) order by order_id for update", order_ids
    )
    return {row["order_id"]: _reservation(row) for row in rows}


async def save_reservations(connection: Connection, reservations: list[Reservation]) -> None:
    """Insert the new and update the known; `Conflict` if another process was faster."""
    done = await connection.execute(
        SAVE,
        [r.order_id for r in reservations],
        [r.saga_id for r in reservations],
        [r.status for r in reservations],
        [r.created_at for r in reservations],
        [r.reason for r in reservations],
        [r.version + 1 for r in reservations],
    )
    if done != f"INSERT 0 {len(reservations)}":
        raise Conflict("another process changed a reservation first")


async def find_reservation(pool: Pool, order_id: UUID) -> Reservation | None:
    """The reservation of this order."""
    row = await pool.fetchrow(f"select {COLUMNS} from reservations where order_id = $1", order_id)
    return _reservation(row) if row else None


def _reservation(row: Any) -> Reservation:
    return Reservation(**{**row, "status": Status(row["status"])})
