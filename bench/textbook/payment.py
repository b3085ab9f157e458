"""The textbook payment service."""

import os
import random
from decimal import Decimal
from uuid import UUID

from bench.textbook.service import Body, Connection, Service, send

FAILURE_RATE = float(os.environ.get("PAYMENT_FAILURE_RATE", "0.25"))

service = Service(
    "payment",
    "payments",
    """create table payments (
        order_id uuid primary key,
        saga_id uuid not null,
        amount numeric(12, 2) not null,
        status text not null,
        created_at timestamptz not null default now()
    );""",
)


async def charge(connection: Connection, body: Body) -> None:
    """Take the money, or not."""
    wanted = body.get("forceFail")
    fails = random.random() < FAILURE_RATE if wanted is None else wanted
    await connection.execute(
        "insert into payments (order_id, saga_id, amount, status) values ($1, $2, $3, $4)",
        UUID(body["orderId"]),
        UUID(body["sagaId"]),
        Decimal(str(body["amount"])),
        "FAILED" if fails else "CHARGED",
    )
    reply = {name: body[name] for name in ("sagaId", "orderId", "amount")}
    if fails:
        await send(connection, "payment.failed", reply | {"reason": "DECLINED"})
    else:
        await send(connection, "payment.charged", reply)


async def refund(connection: Connection, body: Body) -> None:
    """Give it back."""
    await connection.execute("update payments set status = 'REFUNDED' where order_id = $1", UUID(body["orderId"]))
    await send(connection, "payment.refunded", {name: body[name] for name in ("sagaId", "orderId")})


service.handlers = {"payment.charge.command": charge, "payment.refund.command": refund}

if __name__ == "__main__":
    service.run()
