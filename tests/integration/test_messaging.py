"""The payment service's parts on a real Postgres and a real Kafka, each test with a database of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from chassis import database
from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.loops import background
from chassis.messages import Message
from chassis.relay import Relay
from chassis.transport import KafkaTransport
from payment_service.handlers import Payments
from payment_service.messages import SENDS, ChargePayment, PaymentCharged
from payment_service.payments import Payment
from payment_service.settings import Settings
from tests.support.databases import ORDER
from tests.support.eventually import eventually
from tests.support.stack import HOST, KAFKA_BROKER

PAYMENTS = files("payment_service") / "migrations"


def charge(order_id: UUID | None = None, saga_id: UUID | None = None) -> Message:
    body = ChargePayment(saga_id=saga_id or uuid4(), order_id=order_id or uuid4(), amount=5, force_fail=False)
    return Message.new(body)


@pytest.fixture
async def settings() -> AsyncIterator[Settings]:
    name = f"test_{uuid4().hex}"
    server = {"host": HOST, "port": ORDER.port, "user": ORDER.user, "password": ORDER.password}
    admin = await asyncpg.connect(**server, database=ORDER.database)
    await admin.execute(f"create database {name}")
    yield Settings(
        service=f"test-{name}",
        pghost=HOST,
        pgport=ORDER.port,
        pguser=ORDER.user,
        pgpassword=ORDER.password,
        pgdatabase=name,
        kafka_broker=KAFKA_BROKER,
        retry_first_seconds=0.02,
        retry_max_seconds=0.2,
        relay_lease_seconds=0.5,
        relay_tick_seconds=0.05,
        commit_every_seconds=0.1,
    )
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@asynccontextmanager
async def batching(settings: Settings, published: list[Message]) -> AsyncIterator[tuple[Batcher[Payment], Pool]]:
    async with database.connect(settings, PAYMENTS) as pool:
        batcher = Batcher(pool, Payments(0.0), settings, SENDS, published.extend)
        async with background(batcher=batcher.run):
            yield batcher, pool


async def rows(pool: Pool, table: str) -> int:
    count: int = await pool.fetchval(f"select count(*) from {table}")
    return count


async def test_two_processes_that_insert_the_same_row_agree(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        mine, _ = await stack.enter_async_context(batching(settings, []))
        theirs, pool = await stack.enter_async_context(batching(settings, []))
        saga_id = uuid4()
        orders = [uuid4() for _ in range(40)]
        handled = await asyncio.gather(
            *(b.put(charge(order_id, saga_id)) for order_id in orders for b in (mine, theirs))
        )
        assert {type(h.outgoing[0].body) for h in handled} == {PaymentCharged}
        assert (await rows(pool, "payments"), await rows(pool, "inbox")) == (40, 80)


async def test_the_sweep_sends_and_marks_what_a_dead_process_left(settings: Settings) -> None:
    async with batching(settings, []) as (batcher, pool):
        left = (await batcher.submit(charge())).outgoing[0]
        async with Relay(pool, settings, SENDS, KafkaTransport(settings)).running():

            async def marked() -> None:
                assert await pool.fetchval("select published_at is not null from outbox where message_id = $1", left.id)

            await eventually(marked)
    assert left.id in await ids_on(left.destination, left.id)


async def ids_on(topic: str, wanted: UUID) -> set[UUID]:
    """The message ids on a topic, read until the wanted one came."""
    seen: set[UUID] = set()
    async with AIOKafkaConsumer(topic, bootstrap_servers=KAFKA_BROKER, auto_offset_reset="earliest") as consumer:
        async for record in consumer:
            seen.add(UUID(dict(record.headers)["message-id"].decode()))
            if wanted in seen:
                break
    return seen
