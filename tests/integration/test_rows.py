"""What the participants store is what they decided, and the schema refuses what the rules would never do."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from chassis import database
from chassis.database import Pool
from chassis.errors import Unreadable
from chassis.settings import Settings
from chassis.writes import save
from inventory_service import queries as inventory
from inventory_service.reservations import Reservation
from inventory_service.reservations import Status as Stock
from order_service import queries as orders
from order_service.orders import Order
from order_service.orders import Status as Stage
from payment_service import queries as payments
from payment_service.payments import Payment
from payment_service.payments import Status as Money

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ORDER, SAGA = uuid4(), uuid4()

Case = tuple[str, str, Any, Any, Any, Any]
CASES: list[Case] = [
    (
        "order_service",
        "orders",
        orders,
        orders.find_order,
        Order(ORDER, "alice", Decimal("19.99"), Stage.PENDING, NOW),
        Stage.CONFIRMED,
    ),
    (
        "payment_service",
        "payments",
        payments,
        payments.find_payment,
        Payment(ORDER, SAGA, Decimal("9999999999.99"), Money.CHARGED, NOW),
        Money.REFUNDED,
    ),
    (
        "inventory_service",
        "reservations",
        inventory,
        inventory.find_reservation,
        Reservation(ORDER, SAGA, Stock.RESERVED, NOW, "why"),
        Stock.RELEASED,
    ),
]


class Table:
    """The rows of one participant."""

    def __init__(self, pool: Pool, case: Case) -> None:
        _, self.name, self._queries, self._find, self.row, self.next_status = case
        self.pool = pool

    async def save(self, *rows: Any) -> None:
        await save(self.pool, [self._queries.save(list(rows))])

    async def load(self, *order_ids: UUID) -> Any:
        found = await self.pool.fetch(self._queries.LOAD, list(order_ids))
        return {row["order_id"]: self._queries.read(dict(row)) for row in found}

    async def find(self) -> Any:
        return await self._find(self.pool, ORDER)


@pytest.fixture(params=CASES, ids=lambda case: case[1])
async def table(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Table]:
    async with database.connect(settings, files(request.param[0]) / "migrations") as pool:
        yield Table(pool, request.param)


async def test_a_row_comes_back_as_it_was_saved_one_version_on(table: Table) -> None:
    await table.save(table.row)
    stored = replace(table.row, version=1)
    assert await table.find() == stored
    assert await table.load(ORDER, uuid4()) == {ORDER: stored}


async def test_a_row_is_changed_in_place_and_others_are_left_alone(table: Table) -> None:
    other = replace(table.row, order_id=uuid4())
    await table.save(table.row, other)
    await table.save(replace(table.row, status=table.next_status, version=1))
    assert await table.load(ORDER, other.order_id) == {
        ORDER: replace(table.row, status=table.next_status, version=2),
        other.order_id: replace(other, version=1),
    }


@pytest.mark.parametrize("version", [0, 2])
async def test_a_row_that_another_process_has_changed_is_a_conflict(table: Table, version: int) -> None:
    await table.save(table.row)
    with pytest.raises(asyncpg.SerializationError):
        await table.save(replace(table.row, order_id=uuid4()), replace(table.row, version=version))
    assert await table.pool.fetchval(f"select count(*) from {table.name}") == 1


async def test_a_status_that_nobody_knows_is_refused(table: Table) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await table.save(replace(table.row, status="PERHAPS"))


async def test_a_row_of_another_version_is_named(table: Table) -> None:
    await table.save(table.row)
    await table.pool.execute(f"alter table {table.name} drop constraint {table.name}_status_check")
    await table.pool.execute(f"update {table.name} set status = 'PERHAPS'")
    with pytest.raises(Unreadable, match=f"the row {ORDER} cannot be read: 'PERHAPS' is not a valid Status"):
        await table.find()


ORDERS, PAYMENTS, _ = CASES


@pytest.mark.parametrize(
    ("table", "change"),
    [(ORDERS, {"total_amount": Decimal(0)}), (PAYMENTS, {"amount": Decimal(0)}), (PAYMENTS, {"amount": None})],
    indirect=["table"],
    ids=["an order of nothing", "a payment of nothing", "a payment of an unknown amount"],
)
async def test_an_amount_that_cannot_be_is_refused(table: Table, change: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await table.save(replace(table.row, **change))


async def test_what_is_not_there_is_none(table: Table) -> None:
    assert await table.find() is None
    assert await table.load(ORDER) == {}
