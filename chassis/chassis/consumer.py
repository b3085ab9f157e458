"""Kafka in: a whole poll is one batch, and an offset is committed only after the database commit."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from chassis.batcher import Batcher
from chassis.decider import Row
from chassis.delays import Delays
from chassis.intake import Intake
from chassis.kafka import BROKER_ERRORS, Polled, consumer, dead_part, ours, partition_of, stop
from chassis.loops import Backoff, background
from chassis.membership import Membership
from chassis.messages import Body, by_destination
from chassis.positions import Positions
from chassis.retries import Retries
from chassis.settings import Settings
from chassis.unreadable import Unreadable

log = structlog.get_logger()


class Consumer:
    """Polls, submits, waits for the outcome, remembers the position. A bad record never stops its partition."""

    def __init__(
        self, batcher: Batcher[Row], settings: Settings, reads: Iterable[type[Body]], retries: Retries
    ) -> None:
        self._settings = settings
        self._retries = retries
        self._prefix = settings.kafka_prefix
        self._delays = Delays(retries, settings)
        self._positions = Positions()
        self._intake = Intake(batcher, by_destination(reads), retries, self._positions)
        self._topics = [self._prefix + topic for topic in (*by_destination(reads), *retries.delays)]
        self.kafka: AIOKafkaConsumer | None = None
        """The client, once it has joined its group."""
        self._unreadable = Unreadable(settings)
        self._resting: set[TopicPartition] = set()
        self._committed_at = monotonic()
        self.progress_at = monotonic()
        """When a batch was last handled; `busy` while one is."""
        self.busy = False
        self.joined = False
        self._missing: list[str] = []
        self._membership = Membership(settings)
        self._backoff = Backoff()

    async def health(self) -> bool | str:
        """Whether it has joined its group; else all that does not work, and why."""
        # While a topic that it reads is missing, no other is read either.
        missing = [f"missing topics: {', '.join(self._missing)}"] if self._missing else []
        faults = [*missing, *self._unreadable.faults(), *self._retries.faults()]
        return "; ".join(faults) if faults else self.joined

    def will_read(self, topic: str, key: UUID) -> bool:
        """Whether a record of this topic with this key comes to this process, as the partitions are given out now."""
        topic = self._prefix + topic
        partitions = self.kafka.partitions_for_topic(topic) if self.kafka else None
        if self.kafka is None or not partitions:
            return False
        return TopicPartition(topic, partition_of(key, len(partitions))) in self.kafka.assignment()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll while the body runs; then commit what was handled and leave the group."""
        try:
            async with background(consumer=self._run):
                yield
        finally:
            self._retries.close()

    async def _run(self) -> None:
        while True:
            membership = self._membership
            kafka = consumer(self._settings, membership.client_id, static=membership.instance is not None)
            try:
                kafka.subscribe(self._topics, listener=_Rebalances(self, kafka, membership))
                async with asyncio.timeout(self._settings.kafka_start_seconds):
                    await kafka.start()
                self._unreadable.watch(kafka)
                self.kafka = kafka
                self._missing = []
                while True:
                    await self._poll(kafka)
                    self._backoff.reset()
            except UnknownTopicOrPartitionError:
                self._missing = [topic for topic in self._topics if kafka.partitions_for_topic(topic) is None]
                log.error("topics are missing, nothing is read until kafka-init has made them", topics=self._missing)
            except BROKER_ERRORS as error:
                log.warning("the broker is away, starting over", error=repr(error))
            finally:
                self.kafka = None
                self.busy = self.joined = False
                await self.give_up(kafka)
                await stop(kafka, self._settings.kafka_stop_seconds)
            await self._backoff.pause()

    async def _poll(self, kafka: AIOKafkaConsumer) -> None:
        due = self._committed_at + self._settings.commit_every_seconds - monotonic()
        wait_ms = int(max(due, 0) * 1000) + 1 if self._positions.changed else self._settings.poll_wait_ms
        polled = ours(await kafka.getmany(timeout_ms=wait_ms), self._settings)
        if not polled and (dead := dead_part(kafka, self._settings)):
            raise KafkaError(f"a part of aiokafka has died: {dead}")
        self._unreadable.passed(kafka)
        self.busy = bool(polled)
        polled = await self._delays.without_early(kafka, polled)
        if polled:
            await self._handle(polled)
            for partition, records in polled.items():
                self._positions.handled(partition, records[0].offset, records[-1].offset + 1)
            self.progress_at = monotonic()
        self.busy = False
        self._rest(kafka)
        if self._positions.changed and monotonic() - self._committed_at >= self._settings.commit_every_seconds:
            await self.commit(kafka)

    async def _handle(self, polled: Polled) -> None:
        await self._intake.handle(polled)

    def _rest(self, kafka: AIOKafkaConsumer) -> None:
        """While too much waits to be parked, nothing more is read from where it came from."""
        if self._retries.full:
            full = kafka.assignment() & self._positions.holding
            kafka.pause(*full)
            self._resting |= full
        elif self._resting:
            kafka.resume(*self._resting & kafka.assignment())
            self._resting.clear()

    async def give_up(self, kafka: AIOKafkaConsumer) -> None:
        """Commit what can be: the partitions are about to be somebody else's, or ours again from there on."""
        await self._retries.settle(self._settings.relay_drain_seconds)
        await self.commit(kafka)
        self._positions.forget()
        self._resting.clear()
        self._unreadable.forget()

    async def commit(self, kafka: AIOKafkaConsumer) -> None:
        """Commit what was handled. A failure is harmless: the records come again and the inbox drops them."""
        assigned = kafka.assignment()
        positions = {partition: offset for partition, offset in self._positions.take().items() if partition in assigned}
        self._committed_at = monotonic()
        if positions:
            try:
                async with asyncio.timeout(self._settings.commit_timeout_seconds):
                    await kafka.commit(positions)
            except (*BROKER_ERRORS, TimeoutError) as error:
                log.warning("offsets not committed, records will come again", error=repr(error))


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, owner: Consumer, kafka: AIOKafkaConsumer, membership: Membership) -> None:
        self._owner = owner
        self._kafka = kafka
        self._membership = membership

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if self._owner.kafka is not None:
            await self._owner.give_up(self._owner.kafka)
        await self._membership.before_joining(self._kafka)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._membership.joined(self._kafka)
        self._owner.joined = True
        log.info("partitions assigned", partitions=len(assigned))
