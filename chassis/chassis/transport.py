"""The ways out of a process: what the relay needs of one, and the one to Kafka."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from chassis import kafka
from chassis.loops import Backoff, wait_for
from chassis.messages import Message
from chassis.records import headers_of
from chassis.refusals import REFUSALS
from chassis.settings import Settings

log = structlog.get_logger()

LOOKS_FOR_A_TOPIC: Final = 3
"""The first may have been under way before the topic was asked for."""


class Transport(Protocol):
    """A way out of the process."""

    async def run(self) -> None:
        """Stay connected, for ever."""

    async def send(self, message: Message) -> "asyncio.Future[Any]":
        """Hand over one message; wait while the way is jammed. The future is the receiver's acknowledgement."""

    async def close(self) -> None:
        """Send what was handed over, in bounded time."""


class KafkaTransport:
    """A producer that is rebuilt when it breaks; what it lost is still in the outbox."""

    def __init__(self, settings: Settings, writes: Iterable[str] = ()) -> None:
        self._settings = settings
        self._writes = set(writes)
        self._producer: AIOKafkaProducer | None = None
        self._ready = asyncio.Event()
        self._broken = asyncio.Event()
        self._delivers = False
        self._backoff = Backoff()

    def will_write(self, topics: Iterable[str]) -> None:
        """To these topics as well; without them this process does not work."""
        self._writes.update(topics)

    async def answers(self) -> bool | str:
        """Whether the broker answers now; which of the topics that are written are missing."""
        try:
            if self._producer is None:
                return False
            there = (await self._producer.client.fetch_all_metadata()).topics()
        except kafka.BROKER_ERRORS:
            return False
        missing = sorted({self._settings.kafka_prefix + topic for topic in self._writes} - there)
        return f"missing topics: {', '.join(missing)}" if missing else True

    async def run(self) -> None:
        """Keep a working producer, for ever."""
        while True:
            producer = kafka.producer(self._settings)
            try:
                # aiokafka tries for ever if the first answer, from a broker that had just begun, named no broker.
                async with asyncio.timeout(self._settings.kafka_start_seconds):
                    await producer.start()
            except kafka.BROKER_ERRORS as error:
                log.warning("waiting for the broker", broker=self._settings.kafka_broker, error=repr(error))
                await kafka.stop(producer, self._settings.kafka_stop_seconds)
                await self._backoff.pause()
                continue
            self._producer, self._delivers = producer, False
            self._broken.clear()
            self._ready.set()
            while not self._broken.is_set() and not kafka.dead_part(producer, self._settings):
                await wait_for(self._broken, self._settings.stuck_check_seconds)
            log.warning("the producer broke, building a new one")
            await self.close()
            if self._delivers:
                self._backoff.reset()
            await self._backoff.pause()

    async def send(self, message: Message) -> "asyncio.Future[Any]":
        """Hand the message to the producer; the future is the broker's acknowledgement, from all replicas."""
        body = message.body.to_json().encode()
        return await self.produce(message.destination, str(message.key).encode(), body, headers_of(message))

    async def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
        timestamp_ms: int | None = None,
        *,
        alone: bool = False,
    ) -> "asyncio.Future[Any]":
        """The same for any record; without a timestamp it gets that of this process's clock.

        `alone`: no other record shares its fate. `REFUSALS`: the broker will not take this one, and that is all.
        """
        topic = self._settings.kafka_prefix + topic
        while (producer := self._producer) is None:
            await self._ready.wait()
        try:
            # aiokafka forgets whoever waits for metadata while it is stopped.
            async with asyncio.timeout(self._settings.kafka_send_seconds):
                partition = kafka.choose_partition(key, await _partitions(producer, topic), ())
                record = {"key": key, "value": value, "headers": headers}
                if alone:
                    batch = producer.create_batch()
                    batch.append(**record, timestamp=timestamp_ms)
                    sent: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=partition)
                else:
                    sent = await producer.send(topic, **record, partition=partition, timestamp_ms=timestamp_ms)
        except kafka.BROKER_ERRORS as error:
            self._check(producer, error)
            raise
        sent.add_done_callback(partial(self._landed, producer, TopicPartition(topic, partition)))
        return sent

    async def close(self) -> None:
        """Flush and stop; what takes longer than the setting is given up, and is still in the outbox."""
        self._ready.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            await kafka.stop(producer, self._settings.kafka_stop_seconds)

    def _landed(self, producer: AIOKafkaProducer, partition: TopicPartition, sent: "asyncio.Future[Any]") -> None:
        error = None if sent.cancelled() else sent.exception()
        if isinstance(error, REFUSALS):
            # aiokafka goes on counting as if the broker had it: every later record would be out of order.
            producer._txn_manager.increment_sequence_number(partition, -1)
        elif error:
            self._check(producer, error)
        else:
            self._delivers = True

    def _check(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """An error that is not worth a retry may have killed the sender inside the producer; a full buffer has not."""
        harmless = getattr(error, "retriable", False) or isinstance(error, (KafkaTimeoutError, TimeoutError, *REFUSALS))
        if not harmless and producer is self._producer:
            self._broken.set()


async def _partitions(producer: AIOKafkaProducer, topic: str) -> list[int]:
    """Those of a topic. aiokafka would wait for a missing one, and with it whoever sends to another."""
    client = producer.client
    for _ in range(LOOKS_FOR_A_TOPIC):
        if found := client.cluster.partitions_for_topic(topic):
            return sorted(found)
        if topic in client.cluster.unauthorized_topics:
            raise TopicAuthorizationFailedError(topic)
        client.add_topic(topic)
        await client.force_metadata_update()
    raise UnknownTopicOrPartitionError(topic)
