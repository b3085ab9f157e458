"""The SQL of the inventory service; one statement a function."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from chassis import database
from chassis.database import Pool
from chassis.writes import Write
from inventory_service.reservations import Reservation, Status

LOAD = "select order_id, saga_id, status, created_at, reason, version from reservations where order_id = any($1)"

SAVE = """
insert into reservations (order_id, saga_id, status, created_at, reason, version)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::int[])
on conflict (order_id) do update
set status = excluded.status, updated_at = now(), reason = excluded.reason, version = excluded.version
where reservations.version = excluded.version - 1"""


def save(reservations: list[Reservation]) -> Write:
    """Insert the new and update the known, each unless another process was faster."""
    return Write(
        SAVE,
        (
            [r.order_id for r in reservations],
            [r.saga_id for r in reservations],
            [r.status for r in reservations],
            [r.created_at for r in reservations],
            [r.reason for r in reservations],
            [r.version + 1 for r in reservations],
        ),
        rows=len(reservations),
    )


async def find_reservation(pool: Pool, order_id: UUID) -> Reservation | None:
    """The reservation of this order."""
    rows = await database.read(pool, LOAD, [order_id])
    return database.understood(read, dict(rows[0])) if rows else None


def read(row: Mapping[str, Any]) -> Reservation:
    """A row of `LOAD`."""
    return Reservation(**{**row, "status": Status(row["status"])})
