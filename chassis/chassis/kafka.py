"""Messages to and from Kafka records, and the two clients with every unsafe default replaced."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5
from zlib import crc32

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from chassis.errors import InvalidRecord
from chassis.loops import Backoff
from chassis.messages import Body, Message
from chassis.settings import Settings

log = structlog.get_logger()

BROKER_ERRORS = (KafkaError, OSError, RuntimeError)
"""The broker or the connection to it is away; uvloop says `RuntimeError` to a write on a connection that was reset."""


def headers(message: Message) -> list[tuple[str, bytes]]:
    """The metadata as it travels beside the body."""
    fields = {
        "message-id": str(message.id),
        "message-type": message.type,
        "causation-id": str(message.causation_id) if message.causation_id else None,
        "traceparent": message.traceparent,
    }
    return [(name, value.encode()) for name, value in fields.items() if value]


def header_texts(record: ConsumerRecord) -> dict[str, str]:
    """A record's headers, whoever wrote them."""
    return {name: value.decode(errors="replace") for name, value in record.headers if value is not None}


def message_id_of(record: ConsumerRecord, headers: Mapping[str, str]) -> UUID:
    """A foreign sender gives no `message-id`: then the place in the log decides, the same at every redelivery."""
    given = _uuid(headers.get("message-id"))
    return given or uuid5(NAMESPACE_URL, f"kafka:{record.topic}/{record.partition}/{record.offset}")


def from_record(record: ConsumerRecord, reads: Mapping[str, type[Body]]) -> Message:
    """Decode a record; `InvalidRecord` says why it cannot be one of the messages that this service reads.

    A record on a retry topic is read as what it was on its original topic.
    """
    found = header_texts(record)
    topic = record.topic if record.topic in reads else found.get("original-topic", record.topic)
    try:
        body = reads[topic].model_validate_json(record.value or b"")
    except KeyError as error:
        raise InvalidRecord(f"this service does not read topic {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise InvalidRecord(problems) from error
    return Message(body, message_id_of(record, found), _uuid(found.get("causation-id")), found.get("traceparent"))


def partition_of(key: UUID, partitions: int) -> int:
    """Where our producers put a record with this key."""
    return crc32(str(key).encode()) % partitions


def consumer(settings: Settings) -> AIOKafkaConsumer:
    """Offsets are ours to commit, and a new group starts at the beginning of the log."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_broker,
        client_id=settings.service,
        group_id=settings.service,
        group_instance_id=settings.instance,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=settings.kafka_heartbeat_ms,
        request_timeout_ms=settings.kafka_request_timeout_ms,
        max_poll_records=settings.batch_max_messages,
        partition_assignment_strategy=(RangePartitionAssignor,),  # the same partitions of all topics to one process
    )


def require_fetcher(kafka: AIOKafkaConsumer) -> None:
    """aiokafka does not say when its fetcher has died, of a connection that was reset for instance, and is deaf."""
    if kafka._fetcher.error_future.done():
        raise KafkaError("the consumer's fetcher has died")


class KafkaTransport:
    """A producer that is rebuilt when it breaks; what it lost is still in the outbox."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._ready = asyncio.Event()
        self._broken = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether a producer is connected."""
        return self._ready.is_set()

    async def run(self) -> None:
        """Keep a working producer, for ever."""
        backoff = Backoff(self._settings.retry_first_seconds, self._settings.retry_max_seconds)
        while True:
            producer = self._build()
            try:
                await producer.start()
            except BROKER_ERRORS as error:
                log.warning("waiting for the broker", broker=self._settings.kafka_broker, error=repr(error))
                with suppress(*BROKER_ERRORS):
                    await producer.stop()
                await backoff.pause()
                continue
            backoff.reset()
            self._producer = producer
            self._broken.clear()
            self._ready.set()
            await self._broken.wait()
            log.warning("the producer broke, building a new one")
            await self.close()

    async def send(self, message: Message) -> "asyncio.Future[Any]":
        """Hand the message to the producer; the future is the broker's acknowledgement, from all replicas."""
        body = message.body.to_json().encode()
        return await self.produce(message.destination, str(message.key).encode(), body, headers(message))

    async def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
        timestamp_ms: int | None = None,
    ) -> "asyncio.Future[Any]":
        """The same for any record; without a timestamp it gets that of this process's clock."""
        await self._ready.wait()
        assert self._producer is not None
        try:
            sent: asyncio.Future[Any] = await self._producer.send(
                topic, key=key, value=value, headers=headers, timestamp_ms=timestamp_ms
            )
        except BROKER_ERRORS as error:
            self._check(error)
            raise
        sent.add_done_callback(lambda done: self._check(done.cancelled() or done.exception()))
        return sent

    async def close(self) -> None:
        """Flush and stop, in bounded time."""
        self._ready.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(*BROKER_ERRORS, TimeoutError):
                async with asyncio.timeout(self._settings.kafka_stop_seconds):
                    await producer.stop()

    def _check(self, error: object) -> None:
        """An error that is not worth a retry may have killed the sender inside the producer."""
        if isinstance(error, Exception) and not getattr(error, "retriable", False):
            self._broken.set()

    def _build(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_broker,
            client_id=self._settings.service,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            partitioner=choose_partition,
            request_timeout_ms=self._settings.kafka_request_timeout_ms,
            max_request_size=self._settings.kafka_max_request_bytes,
        )


def choose_partition(key: bytes | None, partitions: Sequence[int], _: Sequence[int]) -> int:
    """By the key, as aiokafka's own does, whose hash is written in Python."""
    return partitions[crc32(key or b"") % len(partitions)]


def _uuid(text: str | None) -> UUID | None:
    with suppress(ValueError):
        return UUID(text) if text else None
    return None
