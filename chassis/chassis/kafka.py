"""Messages to and from Kafka records, and the two clients with every unsafe default replaced."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from uuid import NAMESPACE_URL, UUID, uuid5
from zlib import crc32

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from chassis.errors import InvalidRecord
from chassis.messages import Body, Message, trace_context
from chassis.settings import Settings

log = structlog.get_logger()

BROKER_ERRORS = (KafkaError, OSError, RuntimeError)
"""The broker or the connection to it is away; uvloop says `RuntimeError` to a write on a connection that was reset."""

PART_STOP_SECONDS = 1
"""For each part of a client whose own `stop` has left it running."""


def headers_of(message: Message) -> list[tuple[str, bytes]]:
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
    """A foreign sender gives no `message-id`: then the place in the log decides, the same at every redelivery.

    With its time, since a log that was lost begins at offset 0 again.
    """
    given = uuid_of(headers.get("message-id"))
    place = f"{record.topic}/{record.partition}/{record.offset}@{record.timestamp}"
    return given or uuid5(NAMESPACE_URL, f"kafka:{place}")


def count_in(headers: Mapping[str, str], name: str) -> int:
    """A header that counts something; 0 without one, or if somebody wrote nonsense there."""
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def uuid_of(text: object) -> UUID | None:
    """The id that a stranger's text is, if it is one."""
    with suppress(ValueError):
        return UUID(text) if isinstance(text, str) else None
    return None


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
    cause, trace = uuid_of(found.get("causation-id")), trace_context(found.get("traceparent"))
    return Message(body, message_id_of(record, found), cause, trace)


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
        isolation_level="read_committed",  # what a foreign sender has taken back never happened
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=settings.kafka_heartbeat_ms,
        rebalance_timeout_ms=settings.kafka_rebalance_timeout_ms,
        request_timeout_ms=settings.kafka_request_timeout_ms,
        max_poll_records=settings.batch_max_messages,
        partition_assignment_strategy=(RangePartitionAssignor,),  # the same partitions of all topics to one process
    )


def producer(settings: Settings) -> AIOKafkaProducer:
    """Nothing is sent twice or out of order by the client itself, and it is there once every replica has it."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka_broker,
        client_id=settings.service,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        partitioner=choose_partition,
        request_timeout_ms=settings.kafka_request_timeout_ms,
        max_request_size=settings.kafka_max_request_bytes,
    )


def dead_part(client: AIOKafkaConsumer | AIOKafkaProducer) -> str:
    """Which of aiokafka's own tasks has died, of a connection that was reset for instance: it does not say so."""
    if isinstance(client, AIOKafkaConsumer):
        tasks = {"fetcher": client._fetcher.error_future, "metadata": client._client._sync_task}
    else:
        tasks = {"metadata": client.client._sync_task}
    return ", ".join(name for name, task in tasks.items() if task is not None and task.done())


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
