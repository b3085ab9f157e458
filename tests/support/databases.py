"""The four databases, as anyone with psql and the documented passwords sees them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tests.support.eventually import eventually
from tests.support.stack import HOST, OFFSET


@dataclass(frozen=True)
class Database:
    name: str
    port: int
    table: str

    @property
    def user(self) -> str:
        return f"{self.name}_user"

    @property
    def password(self) -> str:
        return f"{self.name}_pass"

    @property
    def database(self) -> str:
        return f"{self.name}_db"

    def __str__(self) -> str:
        return self.database


ORDER = Database("order", 5433 + OFFSET, "orders")
PAYMENT = Database("payment", 5434 + OFFSET, "payments")
INVENTORY = Database("inventory", 5435 + OFFSET, "reservations")
ORCHESTRATOR = Database("orchestrator", 5436 + OFFSET, "sagas")
DATABASES = (ORDER, PAYMENT, INVENTORY, ORCHESTRATOR)


@dataclass(frozen=True)
class Databases:
    order: asyncpg.Pool
    payment: asyncpg.Pool
    inventory: asyncpg.Pool
    orchestrator: asyncpg.Pool

    def __getitem__(self, database: Database) -> asyncpg.Pool:
        pool: asyncpg.Pool = getattr(self, database.name)
        return pool


@asynccontextmanager
async def connect() -> AsyncIterator[Databases]:
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(
                asyncpg.create_pool(
                    host=HOST, port=d.port, user=d.user, password=d.password, database=d.database, min_size=0
                )
            )
            for d in DATABASES
        ]
        yield Databases(*pools)


@asynccontextmanager
async def nothing_written(databases: Databases) -> AsyncIterator[None]:
    """Inside this block no row may appear in any database, once what other tests began has ended."""

    async def all_ended() -> None:
        running = "select count(*) from sagas where status = 'RUNNING' and needs_attention is null"
        assert await databases.orchestrator.fetchval(running) == 0

    await eventually(all_ended)
    before = await _row_counts(databases)
    yield
    assert await _row_counts(databases) == before, "a row was written"


async def _row_counts(databases: Databases) -> dict[str, int]:
    counted = [(d, d.table) for d in DATABASES] + [(ORCHESTRATOR, "checkout_requests")]
    return {table: await databases[d].fetchval(f"select count(*) from {table}") for d, table in counted}
