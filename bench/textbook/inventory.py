"""The textbook inventory service. A saga never undoes a reservation, since this is the last step that can fail."""

import os
import random
from uuid import UUID

from bench.textbook.service import Body, Connection, Service, send

FAILURE_RATE = float(os.environ.get("INVENTORY_FAILURE_RATE", "0.35"))

service = Service(
    "inventory",
    "reservations",
    """create table reservations (
        order_id uuid primary key,
        saga_id uuid not null,
        status text not null,
        created_at timestamptz not null default now()
    );""",
)


async def reserve(connection: Connection, body: Body) -> None:
    """Set stock aside, or not."""
    wanted = body.get("forceFail")
    fails = random.random() < FAILURE_RATE if wanted is None else wanted
    await connection.execute(
        "insert into reservations (order_id, saga_id, status) values ($1, $2, $3)",
        UUID(body["orderId"]),
        UUID(body["sagaId"]),
        "FAILED" if fails else "RESERVED",
    )
    reply = {name: body[name] for name in ("sagaId", "orderId")}
    if fails:
        await send(connection, "inventory.failed", reply | {"reason": "OUT_OF_STOCK"})
    else:
        await send(connection, "inventory.reserved", reply)


service.handlers = {"inventory.reserve.command": reserve}

if __name__ == "__main__":
    service.run()
