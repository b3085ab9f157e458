"""Whether the textbook variant's four databases agree; the auditor reads only the tables of the real one."""

from collections.abc import Iterator
from typing import Any, TypeAlias
from uuid import UUID

from bench.books import connect
from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Database, Instance

Rows: TypeAlias = dict[UUID, Any]

ENDS = {
    "ORDER_CONFIRMED": ("CONFIRMED", "CHARGED", "RESERVED"),
    "PAYMENT_FAILED": ("CANCELLED", "FAILED", None),
    "INVENTORY_FAILED": ("CANCELLED", "REFUNDED", "FAILED"),
}


async def disagreements(instance: Instance) -> list[str]:
    """The first few sagas whose rows do not fit each other."""
    sagas = await _rows(instance, ORCHESTRATOR.database, "select order_id, step as value from sagas")
    orders = await _rows(instance, ORDER.database, "select order_id, status as value from orders")
    payments = await _rows(instance, PAYMENT.database, "select order_id, status as value from payments")
    reservations = await _rows(instance, INVENTORY.database, "select order_id, status as value from reservations")
    return list(_wrong(sagas, orders, payments, reservations))[:5]


def _wrong(sagas: Rows, *others: Rows) -> Iterator[str]:
    for order_id, step in sagas.items():
        found = tuple(rows.get(order_id) for rows in others)
        if found != ENDS.get(step):
            yield f"saga of order {order_id} ended at {step}, but its rows say {found}"
    for rows in others:
        yield from (f"a row of order {order_id}, which has no saga" for order_id in rows.keys() - sagas.keys())


async def _rows(instance: Instance, database: Database, query: str) -> Rows:
    connection = await connect(instance, database)
    try:
        return {row["order_id"]: row["value"] for row in await connection.fetch(query)}
    finally:
        await connection.close()
