"""The textbook orchestrator: a handler for every reply, each with its own update and its own next command."""

import asyncio
import os
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import Response
from pydantic import Field

from bench.textbook.service import AfterCommit, Body, Connection, Service, Wire, send

WAIT_SECONDS = 10
ANSWERS = {"COMPLETED": 200, "RUNNING": 202, "PAYMENT_FAILED": 402, "INVENTORY_FAILED": 409}
STUCK = """
select saga_id, order_id, user_id, total_amount, fail_payment from sagas
where status = 'RUNNING' and step = 'STARTED' and created_at < now() - interval '10 seconds'"""

orders = httpx.AsyncClient(base_url=os.environ.get("ORDER_SERVICE_URL", "http://127.0.0.1:4001"))
waiting: dict[UUID, "asyncio.Future[str]"] = {}

service = Service(
    "orchestrator",
    "sagas",
    """create table sagas (
        saga_id uuid primary key,
        order_id uuid not null,
        status text not null,
        step text not null,
        created_at timestamptz not null default now(),
        user_id text not null,
        total_amount numeric(12, 2) not null,
        fail_payment boolean,
        fail_inventory boolean
    );
    create index sagas_created_at on sagas (created_at);""",
)


class Checkout(Wire):
    """Body of POST /checkout."""

    user_id: str
    total_amount: Decimal = Field(gt=0, decimal_places=2)
    force_payment_fail: bool | None = None
    force_inventory_fail: bool | None = None


class Outcome(Wire):
    """How a checkout stands."""

    saga_id: UUID
    order_id: UUID
    status: str
    step: str


@service.app.post("/checkout")
async def checkout(body: Checkout, response: Response) -> Outcome:
    """Begin a saga and wait for its end."""
    saga_id, order_id = uuid4(), uuid4()
    ended = waiting[saga_id] = asyncio.get_running_loop().create_future()
    try:
        await service.pool.execute(
            "insert into sagas (saga_id, order_id, status, step, user_id, total_amount, fail_payment, fail_inventory)"
            " values ($1, $2, 'RUNNING', 'STARTED', $3, $4, $5, $6)",
            saga_id,
            order_id,
            body.user_id,
            body.total_amount,
            body.force_payment_fail,
            body.force_inventory_fail,
        )
        await create_order(saga_id, order_id, body.user_id, body.total_amount, body.force_payment_fail)
        await asyncio.wait([ended], timeout=WAIT_SECONDS)
    finally:
        del waiting[saga_id]
    step = ended.result() if ended.done() else "STARTED"
    status = "RUNNING" if not ended.done() else "COMPLETED" if step == "ORDER_CONFIRMED" else "FAILED"
    response.status_code = ANSWERS[step if status == "FAILED" else status]
    return Outcome(saga_id=saga_id, order_id=order_id, status=status, step=step)


async def create_order(
    saga_id: UUID, order_id: UUID, user_id: str, total_amount: Decimal, fail_payment: bool | None
) -> None:
    """The first step; the order service knows an order that it has already."""
    amount = float(total_amount)
    order = {"orderId": str(order_id), "userId": user_id, "totalAmount": amount}
    (await orders.post("/orders", json=order)).raise_for_status()
    command: dict[str, Any] = {"sagaId": str(saga_id), "orderId": str(order_id), "amount": amount}
    if fail_payment is not None:
        command["forceFail"] = fail_payment
    async with service.pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(
            "update sagas set step = 'ORDER_CREATED' where saga_id = $1 and step = 'STARTED' returning 1", saga_id
        ):
            await send(connection, "payment.charge.command", command)


async def resume() -> None:
    """Sagas whose process died before their order was created."""
    while True:
        for saga in await service.pool.fetch(STUCK):
            await create_order(**saga)
        await asyncio.sleep(5)


async def payment_charged(connection: Connection, body: Body) -> None:
    """Go on to the inventory."""
    fails = await connection.fetchval(
        "update sagas set step = 'PAYMENT_CHARGED' where saga_id = $1 returning fail_inventory", UUID(body["sagaId"])
    )
    command = ids(body) if fails is None else ids(body) | {"forceFail": fails}
    await send(connection, "inventory.reserve.command", command)


async def payment_failed(connection: Connection, body: Body) -> AfterCommit:
    """Nothing to undo but the order."""
    return await end(connection, body, "CANCELLED", "FAILED", "PAYMENT_FAILED")


async def inventory_reserved(connection: Connection, body: Body) -> AfterCommit:
    """Confirm the order."""
    return await end(connection, body, "CONFIRMED", "COMPLETED", "ORDER_CONFIRMED")


async def inventory_failed(connection: Connection, body: Body) -> None:
    """Give the money back first."""
    await connection.execute("update sagas set step = 'INVENTORY_FAILED' where saga_id = $1", UUID(body["sagaId"]))
    await send(connection, "payment.refund.command", ids(body))


async def payment_refunded(connection: Connection, body: Body) -> AfterCommit:
    """Now the order."""
    return await end(connection, body, "CANCELLED", "FAILED", "INVENTORY_FAILED")


async def end(connection: Connection, body: Body, order: str, status: str, step: str) -> AfterCommit:
    """Tell the order service, end the saga, and afterwards wake its caller."""
    (await orders.patch(f"/orders/{body['orderId']}/status", json={"status": order})).raise_for_status()
    saga_id = UUID(body["sagaId"])
    await connection.execute("update sagas set status = $2, step = $3 where saga_id = $1", saga_id, status, step)

    def wake() -> None:
        if (ended := waiting.get(saga_id)) and not ended.done():
            ended.set_result(step)

    return wake


def ids(body: Body) -> Body:
    """What every command carries."""
    return {name: body[name] for name in ("sagaId", "orderId")}


service.loops = [resume]
service.handlers = {
    "payment.charged": payment_charged,
    "payment.failed": payment_failed,
    "inventory.reserved": inventory_reserved,
    "inventory.failed": inventory_failed,
    "payment.refunded": payment_refunded,
}

if __name__ == "__main__":
    service.run()
