"""aiokafka's clients when something inside them has died: they are replaced, and nothing of the old ones stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import BrokerMetadata

from chassis import kafka
from chassis.batcher import Batcher
from chassis.consumer import Consumer
from chassis.database import Pool
from chassis.loops import background
from chassis.messages import Message
from chassis.retries import Retries
from chassis.settings import Settings
from chassis.transport import KafkaTransport
from local.instance import Instance
from tests.chaos.proxy import Proxy, Way
from tests.integration.counters import Bodies, Counter, Counters, add, total
from tests.integration.counting import counting
from tests.integration.topics import write
from tests.support.eventually import eventually
from tests.support.stack import HOST, INSTANCE, OFFSET

LONG_SECONDS = 60


@asynccontextmanager
async def leaving_no_task() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield

    async def assert_none_is_left() -> None:
        assert not asyncio.all_tasks() - before

    await eventually(assert_none_is_left)


async def test_what_is_stopped_while_the_broker_is_away_leaves_nothing_behind(
    settings: Settings, wired: Bodies
) -> None:
    """aiokafka cancels a fetch that it is about to repeat, and then whoever stops the consumer."""
    topic = wired.add.destination
    proxy = Proxy("kafka", port := Instance(INSTANCE or "test", OFFSET).kafka_proxy_port, port + 1)
    behind = settings.model_copy(update={"kafka_broker": f"{HOST}:{port}"})
    async with proxy.running(), leaving_no_task():
        consumer, producer = kafka.consumer(behind), kafka.producer(behind)
        consumer.subscribe([topic])
        await asyncio.gather(consumer.start(), producer.start())
        await producer.send_and_wait(topic, b"before")
        assert (await consumer.getone()).value == b"before"
        polling = asyncio.create_task(consumer.getone())
        await eventually(lambda: assert_fetches(consumer._fetcher, "send"))
        consumer._fetcher._retry_backoff = LONG_SECONDS
        async with proxy.failing(Way.RESET):
            await eventually(lambda: assert_fetches(consumer._fetcher, "sleep"))
            waiting = await producer.send(topic, b"not acknowledged")
            await kafka.stop(consumer, seconds=5)
            await kafka.stop(producer, seconds=0.1)
        with pytest.raises(ConsumerStoppedError):
            await polling
        with pytest.raises(KafkaError):
            await waiting


async def assert_fetches(fetcher: Any, waits_in: str) -> None:
    assert [getattr(task.get_coro().cr_await, "__name__", "") for task in fetcher._pending_tasks] == [waits_in]


@pytest.mark.parametrize("part", ["_fetcher._fetch_task", "_client._sync_task"])
async def test_a_consumer_starts_over_when_a_part_of_it_has_died(
    pool: Pool, settings: Settings, wired: Bodies, part: str
) -> None:
    before, after = add(1), add(2)

    async def assert_total(wanted: int) -> None:
        assert await total(pool, (before if wanted == 1 else after).key) == wanted

    async with leaving_no_task(), counting(settings, wired) as consumer:
        await write(wired.add.destination, before)
        await eventually(lambda: assert_total(1))
        owner, name = part.split(".")
        getattr(getattr(first := consumer.kafka, owner), name).cancel()

        async def assert_replaced() -> None:
            assert consumer.kafka not in (None, first)

        await eventually(assert_replaced)
        await write(wired.add.destination, after)
        await eventually(lambda: assert_total(2))


async def test_a_producer_is_replaced_when_a_part_of_it_has_died(settings: Settings) -> None:
    transport = KafkaTransport(settings.model_copy(update={"stuck_check_seconds": 0.05}))

    async def assert_another_than(old: object) -> None:
        assert await transport.answers()
        assert transport._producer not in (None, old)

    async with leaving_no_task():
        async with background(transport=transport.run):
            await eventually(lambda: assert_another_than(None))
            first = transport._producer
            assert first
            first.client._sync_task.cancel()
            await eventually(lambda: assert_another_than(first))
        await transport.close()


async def test_clients_ask_the_bootstrap_address_again_when_all_brokers_that_they_know_are_gone(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    """As when brokers come back under other addresses. What aiokafka knows here leads nowhere."""
    quick = {"kafka_start_seconds": 2, "kafka_metadata_max_age_ms": 200, "stuck_check_seconds": 0.05}
    hasty, message = settings.model_copy(update=quick), add(1)
    transport = KafkaTransport(hasty)

    async def assert_others_than(*old: object) -> None:
        assert await transport.answers()
        assert consumer.kafka not in (None, *old)
        assert transport._producer not in (None, *old)

    async with counting(hasty, wired) as consumer, background(transport=transport.run):
        await eventually(lambda: assert_others_than(None))
        assert consumer.kafka
        assert transport._producer
        old = consumer.kafka, transport._producer
        for client in (consumer.kafka._client, transport._producer.client):
            await move_away(client)
        assert not await transport.answers()
        await eventually(lambda: assert_others_than(*old))
        await write(wired.add.destination, message)
        await eventually(lambda: assert_total(pool, message, 1))
        await transport.close()


async def move_away(client: Any) -> None:
    cluster = client.cluster
    nowhere = {broker.nodeId: BrokerMetadata(broker.nodeId, HOST, 1, None) for broker in cluster.brokers()}
    cluster._brokers = nowhere
    for connection in client._conns.values():
        connection.close()


async def assert_total(pool: Pool, message: Message, wanted: int) -> None:
    assert await total(pool, message.key) == wanted


class FailsAtItsFirstPoll(Consumer):
    """Though it started well."""

    async def _poll(self, kafka: AIOKafkaConsumer) -> None:
        raise KafkaError("no poll works")


async def test_a_consumer_that_fails_at_its_first_poll_starts_over_less_and_less_often(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    batcher: Batcher[Counter] = Batcher(pool, Counters(wired.added), settings)
    retries = Retries(KafkaTransport(settings), pool, settings)
    consumer = FailsAtItsFirstPoll(batcher, settings, [wired.add], retries)

    async def assert_tried_again() -> None:
        assert consumer._backoff.tries >= 3

    async with consumer.running():
        await eventually(assert_tried_again)
