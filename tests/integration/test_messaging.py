"""The payment service's parts on a real Postgres and a real Kafka, each test with a database and topics of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from chassis import database
from chassis.batcher import Batcher
from chassis.consumer import Consumer
from chassis.database import Pool
from chassis.kafka import KafkaTransport, headers
from chassis.loops import background
from chassis.messages import Message
from chassis.relay import Relay
from chassis.retries import Retries
from payment_service.handlers import Payments
from payment_service.messages import READS, SENDS, ChargePayment, PaymentCharged
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
        relay_sweep_seconds=0.1,
        relay_mark_seconds=0.05,
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


async def test_records_are_handled_once_and_poison_goes_to_the_dead_letters(settings: Settings) -> None:
    settings = settings.model_copy(update={"service": "payment-service", "instance": f"i-{uuid4()}"})
    settings = settings.model_copy(update={"kafka_broker": KAFKA_BROKER})
    command = charge()
    async with AsyncExitStack() as stack:
        batcher, pool = await stack.enter_async_context(batching(settings, []))
        kafka = KafkaTransport(settings)
        consumer = Consumer(batcher, settings, READS, Retries(kafka, settings))
        await stack.enter_async_context(background(kafka=kafka.run))
        await stack.enter_async_context(consumer.running())
        producer = AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER)
        await stack.enter_async_context(producer)
        poison = f"poison {uuid4()}".encode()
        for _ in range(3):
            await producer.send_and_wait(
                command.destination,
                command.body.to_json().encode(),
                str(command.key).encode(),
                headers=headers(command),
            )
        await producer.send_and_wait(command.destination, poison, str(command.key).encode())
        last = charge(saga_id=command.key)
        await send(producer, last)

        async def both_handled() -> None:
            known = await pool.fetch("select message_id from inbox where message_id = any($1)", [command.id, last.id])
            assert len(known) == 2

        await eventually(both_handled)
        assert await pool.fetchval("select count(*) from payments where saga_id = $1", command.key) == 2
        assert poison in await values_on("payment-service.dlq", poison)
        await kafka.close()


async def send(producer: AIOKafkaProducer, message: Message) -> None:
    body, key = message.body.to_json().encode(), str(message.key).encode()
    await producer.send_and_wait(message.destination, body, key, headers=headers(message))


async def ids_on(topic: str, wanted: UUID) -> set[UUID]:
    """The message ids on a topic, read until the wanted one came."""
    seen: set[UUID] = set()
    async with AIOKafkaConsumer(topic, bootstrap_servers=KAFKA_BROKER, auto_offset_reset="earliest") as consumer:
        async for record in consumer:
            seen.add(UUID(dict(record.headers)["message-id"].decode()))
            if wanted in seen:
                break
    return seen


async def values_on(topic: str, wanted: bytes) -> list[bytes]:
    """The values on a topic, read until the wanted one came."""
    seen: list[bytes] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=KAFKA_BROKER, auto_offset_reset="earliest") as consumer:
        async for record in consumer:
            seen.append(record.value or b"")
            if wanted in seen:
                break
    return seen
