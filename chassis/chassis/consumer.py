"""Kafka in: a whole poll is one batch, and an offset is committed only after the database commit."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from time import monotonic

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from chassis import metrics
from chassis.batcher import Batcher
from chassis.crash import crash_point
from chassis.database import Pool
from chassis.decider import Row
from chassis.errors import InvalidRecord
from chassis.kafka import consumer, from_record
from chassis.loops import Backoff, background
from chassis.messages import Body, Message, by_destination
from chassis.rejected import reject
from chassis.settings import Settings

log = structlog.get_logger()


class Consumer:
    """Polls, submits, waits for the outcome, remembers the position. A bad record never stops its partition."""

    def __init__(self, batcher: Batcher[Row], pool: Pool, settings: Settings, reads: Iterable[type[Body]]) -> None:
        self._batcher = batcher
        self._pool = pool
        self._settings = settings
        self._reads = by_destination(reads)
        self._kafka: AIOKafkaConsumer | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._committed_at = monotonic()

    @property
    def ready(self) -> bool:
        """Whether the group has given this process its partitions."""
        return self._kafka is not None and bool(self._kafka.assignment())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll while the body runs; then commit what was handled and leave the group."""
        async with background(consumer=self._run):
            yield

    async def _run(self) -> None:
        backoff = Backoff(self._settings.retry_first_seconds, self._settings.retry_max_seconds)
        while True:
            kafka = consumer([], self._settings)
            try:
                kafka.subscribe(list(self._reads), listener=_CommitBeforeRevoke(self))
                await kafka.start()
                self._kafka = kafka
                backoff.reset()
                while True:
                    await self._poll(kafka)
            except (KafkaError, OSError) as error:
                log.warning("the broker is away, starting over", error=repr(error))
            finally:
                self._kafka = None
                await self._leave(kafka)
            await backoff.pause()

    async def _poll(self, kafka: AIOKafkaConsumer) -> None:
        due = self._committed_at + self._settings.commit_every_seconds - monotonic()
        wait_ms = int(max(due, 0) * 1000) + 1 if self._positions else self._settings.poll_wait_ms
        polled = await kafka.getmany(timeout_ms=wait_ms, max_records=self._settings.batch_max_messages)
        if polled:
            await self._handle([record for records in polled.values() for record in records])
            self._positions |= {partition: records[-1].offset + 1 for partition, records in polled.items()}
        if self._positions and monotonic() - self._committed_at >= self._settings.commit_every_seconds:
            await self.commit(kafka)

    async def _handle(self, records: list[ConsumerRecord]) -> None:
        decoded = [self._decode(record) for record in records]
        outcomes = await asyncio.gather(
            *(self._batcher.put(message) for message in decoded if isinstance(message, Message)),
            return_exceptions=True,
        )
        outcome = iter(outcomes)
        for record, message in zip(records, decoded, strict=True):
            result = next(outcome) if isinstance(message, Message) else message
            if isinstance(result, BaseException):
                message_id = message.id if isinstance(message, Message) else None
                await reject(self._pool, record, message_id, result, self._settings)
                metrics.rejected.labels(record.topic).inc()
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
            except (KafkaError, TimeoutError, IllegalStateError) as error:
                log.warning("offsets not committed, records will come again", error=repr(error))

    async def _leave(self, kafka: AIOKafkaConsumer) -> None:
        with suppress(KafkaError, OSError, TimeoutError):
            await self.commit(kafka)
            async with asyncio.timeout(self._settings.kafka_stop_seconds):
                await kafka.stop()


class _CommitBeforeRevoke(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, owner: Consumer) -> None:
        self._owner = owner

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if self._owner._kafka is not None:
            await self._owner.commit(self._owner._kafka)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        log.info("partitions assigned", partitions=len(assigned))
