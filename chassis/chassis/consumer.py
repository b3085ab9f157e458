"""Kafka in: a whole poll is one batch, and an offset is committed only after the database commit."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from chassis.batcher import Batcher
from chassis.crash import crash_point
from chassis.decider import Row
from chassis.errors import InvalidRecord
from chassis.kafka import BROKER_ERRORS, consumer, dead_part, partition_of, stop
from chassis.loops import Backoff, background
from chassis.messages import Body, Message, by_destination
from chassis.records import from_record
from chassis.retries import Retries
from chassis.settings import Settings

log = structlog.get_logger()

Polled = dict[TopicPartition, list[ConsumerRecord]]


class Consumer:
    """Polls, submits, waits for the outcome, remembers the position. A bad record never stops its partition."""

    def __init__(
        self, batcher: Batcher[Row], settings: Settings, reads: Iterable[type[Body]], retries: Retries
    ) -> None:
        self._batcher = batcher
        self._settings = settings
        self._reads = by_destination(reads)
        self._retries = retries
        self._topics = [*self._reads, *retries.delays]
        self._kafka: AIOKafkaConsumer | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._committed_at = monotonic()
        self.progress_at = monotonic()
        """When a batch was last handled; `busy` while one is."""
        self.busy = False
        self.joined = False
        self._missing: list[str] = []

    @property
    def kafka(self) -> AIOKafkaConsumer | None:
        """The client, once it has joined its group."""
        return self._kafka

    @property
    def ready(self) -> bool:
        """Whether the group has given this process its partitions; none, where there are more processes than those."""
        return self._kafka is not None and self.joined

    async def health(self) -> bool | str:
        """Whether it is ready; which topics are missing, if that is why it is not: then none of the others is read."""
        return f"missing topics: {', '.join(self._missing)}" if self._missing else self.ready

    def will_read(self, topic: str, key: UUID) -> bool:
        """Whether a record of this topic with this key comes to this process, as the partitions are given out now."""
        partitions = self._kafka.partitions_for_topic(topic) if self._kafka else None
        if self._kafka is None or not partitions:
            return False
        return TopicPartition(topic, partition_of(key, len(partitions))) in self._kafka.assignment()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll while the body runs; then commit what was handled and leave the group."""
        async with background(consumer=self._run):
            yield

    async def _run(self) -> None:
        backoff = Backoff(self._settings.retry_first_seconds, self._settings.retry_max_seconds)
        while True:
            kafka = consumer(self._settings)
            try:
                kafka.subscribe(self._topics, listener=_CommitBeforeRevoke(self))
                async with asyncio.timeout(self._settings.kafka_start_seconds):
                    await kafka.start()
                self._kafka = kafka
                self._missing = []
                backoff.reset()
                while True:
                    await self._poll(kafka)
            except UnknownTopicOrPartitionError:
                self._missing = [topic for topic in self._topics if kafka.partitions_for_topic(topic) is None]
                log.error("topics are missing, nothing is read until kafka-init has made them", topics=self._missing)
            except BROKER_ERRORS as error:
                log.warning("the broker is away, starting over", error=repr(error))
            finally:
                self._kafka = None
                self.busy = self.joined = False
                await self.commit(kafka)
                await stop(kafka, self._settings.kafka_stop_seconds)
            await backoff.pause()

    async def _poll(self, kafka: AIOKafkaConsumer) -> None:
        due = self._committed_at + self._settings.commit_every_seconds - monotonic()
        wait_ms = int(max(due, 0) * 1000) + 1 if self._positions else self._settings.poll_wait_ms
        polled = await kafka.getmany(timeout_ms=wait_ms, max_records=self._settings.batch_max_messages)
        if not polled and (dead := dead_part(kafka)):
            raise KafkaError(f"a part of aiokafka has died: {dead}")
        self.busy = bool(polled)
        polled = await self._without_early(kafka, polled)
        if polled:
            await self._handle([record for records in polled.values() for record in records])
            self._positions |= {partition: records[-1].offset + 1 for partition, records in polled.items()}
            self.progress_at = monotonic()
        self.busy = False
        if self._positions and monotonic() - self._committed_at >= self._settings.commit_every_seconds:
            await self.commit(kafka)

    async def _without_early(self, kafka: AIOKafkaConsumer, polled: Polled) -> Polled:
        """Put back the records of retry topics whose delay is not over; their partition rests until it is."""
        delayed = {partition for partition in polled if partition.topic in self._retries.delays}
        now_ms = await self._retries.now_ms() if delayed else 0
        due = {partition: records for partition, records in polled.items() if partition not in delayed}
        for partition in delayed & kafka.assignment():
            records, delay_ms = polled[partition], self._retries.delays[partition.topic] * 1000
            rest_ms = [record.timestamp + delay_ms - now_ms for record in records]
            # Stamped in the future, so by no clock of ours: it goes first, or it would hold up all behind it.
            rest_ms = [0 if rest > delay_ms else rest for rest in rest_ms]
            ready = next((i for i, rest in enumerate(rest_ms) if rest > 0), len(records))
            if ready < len(records):
                kafka.seek(partition, records[ready].offset)
                kafka.pause(partition)
                asyncio.get_running_loop().call_later(rest_ms[ready] / 1000, _resume, kafka, partition)
            if ready:
                due[partition] = records[:ready]
        return due

    async def _handle(self, records: list[ConsumerRecord]) -> None:
        decoded = [self._decode(record) for record in records]
        outcomes = await asyncio.gather(
            *(self._batcher.put(each) if isinstance(each, Message) else _failed(each) for each in decoded),
            return_exceptions=True,
        )
        # At once: parked one after the other, a flood of poison would hold up the good messages behind it.
        await asyncio.gather(
            *(
                self._retries.park(record, outcome)
                for record, outcome in zip(records, outcomes, strict=True)
                if isinstance(outcome, BaseException)
            )
        )
        crash_point("consumer.before_offset_commit", [m.type for m in decoded if isinstance(m, Message)])

    def _decode(self, record: ConsumerRecord) -> Message | InvalidRecord:
        try:
            return from_record(record, self._reads)
        except InvalidRecord as error:
            return error

    async def commit(self, kafka: AIOKafkaConsumer) -> None:
        """Commit what was handled. A failure is harmless: the records come again and the inbox drops them."""
        assigned = kafka.assignment()
        positions = {partition: offset for partition, offset in self._positions.items() if partition in assigned}
        self._positions = {}
        self._committed_at = monotonic()
        if positions:
            try:
                async with asyncio.timeout(self._settings.commit_timeout_seconds):
                    await kafka.commit(positions)
            except (*BROKER_ERRORS, TimeoutError) as error:
                log.warning("offsets not committed, records will come again", error=repr(error))


def _failed(error: InvalidRecord) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def _resume(kafka: AIOKafkaConsumer, partition: TopicPartition) -> None:
    if partition in kafka.assignment():
        kafka.resume(partition)


class _CommitBeforeRevoke(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, owner: Consumer) -> None:
        self._owner = owner

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if self._owner.kafka is not None:
            await self._owner.commit(self._owner.kafka)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._owner.joined = True
        log.info("partitions assigned", partitions=len(assigned))
