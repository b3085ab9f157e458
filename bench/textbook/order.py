"""The textbook order service: HTTP in front of a table."""

from decimal import Decimal
from uuid import UUID

from fastapi import HTTPException, Response
from pydantic import Field

from bench.textbook.service import Service, Wire

service = Service(
    "order",
    "orders",
    """create table orders (
        order_id uuid primary key,
        user_id text not null,
        total_amount numeric(12, 2) not null,
        status text not null,
        created_at timestamptz not null default now()
    );""",
)


class NewOrder(Wire):
    """Body of POST /orders."""

    order_id: UUID
    user_id: str
    total_amount: Decimal = Field(gt=0, decimal_places=2)


class NewStatus(Wire):
    """Body of PATCH /orders/{id}/status."""

    status: str = Field(pattern="^(CONFIRMED|CANCELLED)$")


class Order(Wire):
    """An order as the API shows it."""

    order_id: UUID
    status: str


@service.app.post("/orders", status_code=201)
async def create(order: NewOrder, response: Response) -> Order:
    """Idempotent by the order's id."""
    async with service.pool.acquire() as connection, connection.transaction():
        created = await connection.fetchval(
            "insert into orders (order_id, user_id, total_amount, status) values ($1, $2, $3, 'PENDING')"
            " on conflict do nothing returning order_id",
            order.order_id,
            order.user_id,
            order.total_amount,
        )
        status = await connection.fetchval("select status from orders where order_id = $1", order.order_id)
    response.status_code = 201 if created else 200
    return Order(order_id=order.order_id, status=status)


@service.app.patch("/orders/{order_id}/status")
async def set_status(order_id: UUID, wanted: NewStatus) -> Order:
    """From PENDING, or to what it is already."""
    async with service.pool.acquire() as connection, connection.transaction():
        status = await connection.fetchval("select status from orders where order_id = $1 for update", order_id)
        if status is None:
            raise HTTPException(404)
        if status not in ("PENDING", wanted.status):
            raise HTTPException(409)
        await connection.execute("update orders set status = $2 where order_id = $1", order_id, wanted.status)
    return Order(order_id=order_id, status=wanted.status)


if __name__ == "__main__":
    service.run()
