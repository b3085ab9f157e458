"""The payment service's parts on a real Postgres and a real Kafka, each test with a database and topics of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from chassis import database, migrations, outbox
from chassis.batcher import Batcher, Handled
from chassis.consumer import Consumer
from chassis.database import Pool
from chassis.errors import MigrationChanged, Unavailable
from chassis.kafka import KafkaTransport, headers
from chassis.loops import background
from chassis.messages import Message
from chassis.relay import Relay
from chassis.retries import Retries
from payment_service.handlers import Payments
from payment_service.messages import READS, SENDS, ChargePayment, PaymentCharged, RefundPayment
from payment_service.payments import ForeignOrder, Payment
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


async def test_migrations_are_applied_once_however_many_processes_start_at_once(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        pools = await asyncio.gather(
            *(stack.enter_async_context(database.connect(settings, PAYMENTS)) for _ in range(3))
        )
        assert await rows(pools[0], "schema_migrations") == 2


async def test_an_edited_migration_is_refused(settings: Settings, tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with database.connect(settings, PAYMENTS) as pool, pool.acquire() as connection:
        (tmp_path / "0009_mine.sql").write_text("create table mine (id int)")
        await migrations.apply(connection, [tmp_path])
        (tmp_path / "0009_mine.sql").write_text("create table mine (id bigint)")
        with pytest.raises(MigrationChanged, match=r"0009_mine\.sql"):
            await migrations.apply(connection, [tmp_path])


async def test_what_waits_together_is_committed_together(settings: Settings) -> None:
    published: list[Message] = []
    async with batching(settings, published) as (batcher, pool):
        handled = await asyncio.gather(*(batcher.put(charge()) for _ in range(50)))
        assert await pool.fetchval("select count(distinct xmin::text) from payments") == 1
        assert [type(m.body) for m in published] == [PaymentCharged] * 50
        assert all(h.row is not None for h in handled)
        assert (await rows(pool, "payments"), await rows(pool, "inbox"), await rows(pool, "outbox")) == (50, 50, 50)


async def test_a_bad_message_in_a_batch_fails_alone(settings: Settings) -> None:
    published: list[Message] = []
    async with batching(settings, published) as (batcher, pool):
        taken = charge()
        await batcher.submit(taken)
        order_id = taken.body.order_id  # type: ignore[attr-defined]
        bad = Message.new(RefundPayment(saga_id=uuid4(), order_id=order_id))
        outcomes = await asyncio.gather(*(batcher.put(m) for m in (charge(), bad, charge())), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Handled, ForeignOrder, Handled]
        assert await rows(pool, "payments") == 3
        assert await pool.fetchval("select count(*) from inbox where message_id = $1", bad.id) == 0


async def test_a_repeated_command_is_answered_again_under_the_old_id(settings: Settings) -> None:
    published: list[Message] = []
    async with batching(settings, published) as (batcher, pool):
        command = charge()
        first, again = await batcher.submit(command), await batcher.submit(command)
        assert [m.id for m in again.outgoing] == [m.id for m in first.outgoing]
        assert [m.id for m in published] == [first.outgoing[0].id] * 2
        assert (await rows(pool, "payments"), await rows(pool, "outbox")) == (1, 1)


async def test_a_repeated_command_whose_answer_was_pruned_is_answered_from_the_row(settings: Settings) -> None:
    published: list[Message] = []
    async with batching(settings, published) as (batcher, pool):
        command = charge()
        first = await batcher.submit(command)
        await pool.execute("delete from outbox")
        again = await batcher.submit(command)
        assert [m.body for m in again.outgoing] == [m.body for m in first.outgoing]
        assert await rows(pool, "payments") == 1


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


async def test_a_lost_connection_repeats_the_patient_and_refuses_the_others(settings: Settings) -> None:
    async with batching(settings, []) as (batcher, pool), database.connect(settings, PAYMENTS) as locker:
        async with locker.acquire() as lock, lock.transaction():
            await lock.execute("lock table payments")
            patient = batcher.put(charge())
            impatient = batcher.put(charge(), patient=False)

            async def blocked() -> int:
                pid = await pool.fetchval("select pid from pg_locks where not granted limit 1")
                assert pid is not None
                return int(pid)

            await lock.execute("select pg_terminate_backend($1)", await eventually(blocked))
            with pytest.raises(Unavailable):
                await impatient
        assert (await patient).row is not None
        assert (await batcher.submit(charge())).row is not None  # and the next one is let through again
        assert await rows(pool, "payments") == 2


async def test_a_pool_of_one_is_enough(settings: Settings) -> None:
    async with batching(settings.model_copy(update={"pool_size": 1}), []) as (batcher, pool):
        await asyncio.gather(*(batcher.put(charge()) for _ in range(20)))
        assert await rows(pool, "payments") == 20


async def test_two_sweeps_never_take_the_same_message(settings: Settings) -> None:
    async with batching(settings, []) as (batcher, pool):
        await asyncio.gather(*(batcher.put(charge()) for _ in range(60)))
        await pool.execute("update outbox set publish_after = now() - interval '1 second'")
        bodies = {body.__name__: body for body in SENDS}
        taken = await asyncio.gather(*(outbox.lease_due(pool, 20, bodies, 5, 30) for _ in range(3)))
        assert len({m.id for some in taken for m in some}) == 60
        assert await outbox.lease_due(pool, 20, bodies, 5, 30) == []


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
