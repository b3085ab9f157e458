"""Kafka's two clients with every unsafe default replaced, and how each is stopped for good."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary
from zlib import crc32

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from chassis.assignor import NotingRange
from chassis.settings import Settings

log = structlog.get_logger()

BROKER_ERRORS = (KafkaError, OSError, RuntimeError)
"""The broker or the connection to it is away; uvloop says `RuntimeError` to a write on a connection that was reset."""

PART_STOP_SECONDS = 1
"""For each part of a client whose own `stop` has left it running."""

Polled = dict[TopicPartition, list[ConsumerRecord]]

_heard_at: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
"""When each client has last been told which brokers and topics there are."""


def ours(polled: Polled, settings: Settings) -> Polled:
    """What the broker gave, each record with its topic as the code knows it; the partitions keep the broker's names."""
    if settings.kafka_prefix:
        for record in (record for records in polled.values() for record in records):
            record.topic = record.topic.removeprefix(settings.kafka_prefix)
    return polled


def partition_of(key: UUID, partitions: int) -> int:
    """Where our producers put a record with this key."""
    return crc32(str(key).encode()) % partitions


def consumer(settings: Settings, client_id: str = "", *, static: bool = True) -> AIOKafkaConsumer:
    """Offsets are ours to commit, and a new group starts at the beginning of the log."""
    assignor = NotingRange(settings.kafka_metadata_max_age_ms / 1000)
    client = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_broker,
        client_id=client_id or settings.service,
        group_id=settings.kafka_group,
        group_instance_id=settings.instance if static else None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",  # what a foreign sender has taken back never happened
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=settings.kafka_session_timeout_ms // 4,
        rebalance_timeout_ms=settings.kafka_request_timeout_ms * 9 // 10,  # other members wait for a busy one
        request_timeout_ms=settings.kafka_request_timeout_ms,
        max_poll_records=settings.batch_max_messages,
        metadata_max_age_ms=settings.kafka_metadata_max_age_ms,
        partition_assignment_strategy=(assignor,),  # the same partitions of all topics to one process
    )
    assignor.watch(client)
    client._client.cluster.add_listener(_note_heard)
    return client


def producer(settings: Settings) -> AIOKafkaProducer:
    """Nothing is sent twice or out of order by the client itself, and it is there once every replica has it."""
    client = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_broker,
        client_id=settings.service,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        partitioner=choose_partition,
        request_timeout_ms=settings.kafka_request_timeout_ms,
        max_request_size=settings.kafka_max_request_bytes,
        metadata_max_age_ms=settings.kafka_metadata_max_age_ms,
    )
    client.client.cluster.add_listener(_note_heard)
    return client


def dead_part(client: AIOKafkaConsumer | AIOKafkaProducer, settings: Settings) -> str:
    """Which of aiokafka's own tasks has died, of a connection that was reset for instance: it does not say so.

    Nor does it ask the bootstrap address again when all brokers that it knows are gone: the cluster may have moved.
    """
    if isinstance(client, AIOKafkaConsumer):
        inner, tasks = client._client, {"fetcher": client._fetcher.error_future}
    else:
        inner, tasks = client.client, {}
    silent = monotonic() - _heard_at.get(inner.cluster, monotonic())
    if silent > settings.kafka_start_seconds + settings.kafka_metadata_max_age_ms / 1000:
        return f"metadata, since {silent:.0f} s"
    tasks["metadata"] = inner._sync_task
    return ", ".join(name for name, task in tasks.items() if task is not None and task.done())


def _note_heard(cluster: Any) -> None:
    _heard_at[cluster] = monotonic()


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer, seconds: float) -> None:
    """End every part of a client; what takes longer than so many seconds is cancelled.

    aiokafka's own `stop` ends early if one of its tasks has died, or with `CancelledError` if it was about to repeat
    a fetch. What is left would connect again, and who waits for an acknowledgement would wait for ever.
    """
    await _end(client.stop(), seconds)
    consumes = isinstance(client, AIOKafkaConsumer)
    parts = (client._fetcher, client._client) if consumes else (client._sender, client.client)
    for part in filter(None, parts):
        await _end(part.close(), PART_STOP_SECONDS)
    if not consumes:
        client._message_accumulator.fail_all(KafkaError("the producer was stopped before the broker had answered"))


async def _end(closing: Coroutine[None, None, None], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(closing, return_exceptions=True)


def choose_partition(key: bytes | None, partitions: Sequence[int], _: Sequence[int]) -> int:
    """By the key, as aiokafka's own does, whose hash is written in Python."""
    return partitions[crc32(key or b"") % len(partitions)]
