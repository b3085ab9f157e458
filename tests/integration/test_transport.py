"""The way out to Kafka: a producer that does not work any more is given up for another."""

import asyncio
import struct
from uuid import uuid4

import pytest
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    RequestTimedOutError,
    UnknownTopicOrPartitionError,
)

from chassis.kafka import BROKER_ERRORS
from chassis.loops import background
from chassis.settings import Settings
from chassis.transport import KafkaTransport
from tests.integration.counters import Bodies
from tests.support.eventually import eventually
from tests.support.stack import HOST

ONLY_THE_OLDEST_METADATA = struct.pack(">hi3h3h", 0, 2, 18, 0, 0, 3, 0, 0)
NO_BROKERS_NO_TOPICS = bytes(8)
"""Two answers of the Kafka protocol, without their lengths and numbers."""
TOO_LONG = bytes(1_500_000)
"""For a topic; not for the producer, whose limit is `kafka_max_request_bytes`."""


async def test_a_message_that_waits_while_the_producer_stops_is_told_so(settings: Settings) -> None:
    settings.kafka_send_seconds = 0.5
    transport = KafkaTransport(settings)
    async with background(transport=transport.run):
        await eventually(lambda: assert_ready(transport))
        waiting = asyncio.create_task(transport.produce(f"no-such-topic-{uuid4()}", None, b"", []))
        await asyncio.sleep(0)  # one turn of the loop: it has the producer now, and waits for the topic's metadata
        await transport.close()
        async with asyncio.timeout(30):
            with pytest.raises(BROKER_ERRORS):
                await waiting


async def assert_ready(transport: KafkaTransport) -> None:
    assert await transport.answers()


async def test_a_producer_that_heard_of_no_broker_is_given_up_for_another(settings: Settings) -> None:
    """So answers a broker that has just begun; aiokafka then knows nobody whom it could ask again, for ever."""
    callers = 0

    async def answer_that_there_is_no_broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal callers
        callers += 1
        for content in (ONLY_THE_OLDEST_METADATA, NO_BROKERS_NO_TOPICS):
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            request = await reader.readexactly(size)
            answer = request[4:8] + content
            writer.write(struct.pack(">i", len(answer)) + answer)
        await writer.drain()
        writer.close()

    async def assert_another_came() -> None:
        assert callers >= 2

    server = await asyncio.start_server(answer_that_there_is_no_broker, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    transport = KafkaTransport(settings.model_copy(update={"kafka_broker": f"{HOST}:{port}", "kafka_start_seconds": 1}))
    async with server, background(transport=transport.run):
        await eventually(assert_another_came)


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with others"])
async def test_a_record_that_the_broker_refuses_keeps_no_later_one_from_being_sent_and_costs_no_producer(
    settings: Settings, wired: Bodies, alone: bool
) -> None:
    """aiokafka goes on counting as if the broker had it: every record behind it would be out of order."""
    transport, topic = KafkaTransport(settings), wired.added.destination
    async with background(transport=transport.run):
        await (await transport.produce(topic, None, b"short", []))
        producer = transport._producer
        for _ in range(2):
            sent = await transport.produce(topic, None, TOO_LONG, [], alone=alone)
            behind = [await transport.produce(topic, None, b"short", []) for _ in range(2)]
            with pytest.raises(MessageSizeTooLargeError):
                await sent
            await asyncio.gather(*behind)
        assert transport._producer is producer
        assert not transport._broken.is_set()
    await transport.close()


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), ProducerFenced(), KafkaError("dead")], ids=repr)
async def test_a_producer_that_has_broken_is_given_up_and_each_time_a_little_later(
    settings: Settings, error: Exception
) -> None:
    transport = KafkaTransport(settings)
    async with background(transport=transport.run):
        for tries in (1, 2):
            await eventually(lambda: assert_ready(transport))
            broken = transport._producer
            assert broken
            transport._check(broken, error)

            async def assert_another(than: object = broken) -> None:
                assert transport._producer not in (None, than)

            await eventually(assert_another)
            assert transport._backoff.tries == tries
    await transport.close()


async def test_whoever_sends_to_a_missing_topic_is_told_so_at_once_and_it_is_named(
    settings: Settings, wired: Bodies
) -> None:
    """Without its acknowledgement within kafka_send_seconds the lane would stand so long for each of its messages."""
    missing, there = f"{settings.service}.missing", wired.added.destination
    patient = settings.model_copy(update={"kafka_request_timeout_ms": 300_000, "kafka_send_seconds": 300})
    transport = KafkaTransport(patient, [missing, there])
    async with background(transport=transport.run), asyncio.timeout(60):
        await eventually(lambda: assert_ready(transport))
        for _ in range(3):
            with pytest.raises(UnknownTopicOrPartitionError):
                await transport.produce(missing, None, b"", [])
        await (await transport.produce(there, None, b"", []))
        assert await transport.answers() == f"missing topics: {missing}"
    await transport.close()


@pytest.mark.parametrize("error", [RequestTimedOutError(), KafkaTimeoutError(), TimeoutError()], ids=repr)
async def test_an_error_that_passes_costs_no_producer(settings: Settings, error: Exception) -> None:
    transport = KafkaTransport(settings)
    async with background(transport=transport.run):
        await eventually(lambda: assert_ready(transport))
        assert transport._producer
        transport._check(transport._producer, error)
        assert not transport._broken.is_set()
    await transport.close()
