"""Reading and writing topics as a stranger would."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis.messages import Message
from chassis.records import headers_of
from local.kafka import jars, java
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER


async def write(
    topic: str,
    *messages: Message | bytes,
    headers: Sequence[tuple[str, bytes]] = (),
    more_headers: Iterable[tuple[str, bytes]] = (),
    timestamp_ms: int | None = None,
) -> None:
    """In this order, to the topic's only partition; bytes as they are, with these headers and no others."""
    async with AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER, max_request_size=2_000_000) as producer:
        for message in messages:
            if isinstance(message, bytes):
                await producer.send_and_wait(topic, message, headers=headers)
            else:
                value = message.body.to_json().encode()
                own = [*headers_of(message), *more_headers]
                await producer.send_and_wait(topic, value, headers=own, timestamp_ms=timestamp_ms)


async def write_by_java(topic: str, codec: str, *values: bytes) -> None:
    """One record a value, packed, by Kafka's own console producer."""
    command = (java(), "-cp", f"{jars()}/*", "kafka.tools.ConsoleProducer", "--bootstrap-server", KAFKA_BROKER)
    process = await asyncio.create_subprocess_exec(
        *command, "--topic", topic, "--compression-codec", codec, stdin=PIPE, stdout=DEVNULL
    )
    await process.communicate(b"".join(value + b"\n" for value in values))
    assert process.returncode == 0


class Listener:
    """Everything that has ever been written to some topics."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._records: list[ConsumerRecord] = []

    async def records(self, count: int) -> list[ConsumerRecord]:
        """All records so far, at least so many."""

        async def enough() -> list[ConsumerRecord]:
            for records in (await self._consumer.getmany(timeout_ms=50)).values():
                self._records += records
            assert len(self._records) >= count, f"read {len(self._records)} of {count}"
            return self._records

        return await eventually(enough)


@asynccontextmanager
async def listening(*topics: str) -> AsyncIterator[Listener]:
    consumer = AIOKafkaConsumer(bootstrap_servers=KAFKA_BROKER, enable_auto_commit=False, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(topic, 0) for topic in topics])
        await consumer.seek_to_beginning()
        yield Listener(consumer)


async def committed(admin: AIOKafkaAdminClient, group: str, topic: str, partition: int = 0) -> int | None:
    """The offset from which on this group has handled nothing."""
    offsets = await admin.list_consumer_group_offsets(group)
    found = offsets.get(TopicPartition(topic, partition))
    return found.offset if found else None
