"""I11: the dead-letter topics hold nothing that is still open."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

import inventory_service.messages as inventory
import payment_service.messages as payment
import saga_orchestrator.messages as orchestrator
from audit.look import Look
from audit.report import Finding, Verdict
from chassis import inbox
from chassis.errors import InvalidRecord
from chassis.messages import Message, by_destination
from chassis.records import body_of, from_record, header_texts, saga_id_of, uuid_of
from local.problem import IS_IT_UP

MOST = 10_000
MARKERS = ("redriven", "dropped")
TIMEOUT_SECONDS = 20
HANDLED = "select message_id, subject from inbox where message_id = any($1::uuid[])"
READS = {
    "payment-service": by_destination(payment.READS),
    "inventory-service": by_destination(inventory.READS),
    "saga-orchestrator": by_destination(orchestrator.READS),
}


async def open_letters(look: Look, verdict: Verdict) -> None:
    """A dead letter is open unless a marker in its topic names it or its message has been handled since."""
    consumer = AIOKafkaConsumer(bootstrap_servers=look.options.kafka_broker, enable_auto_commit=False)
    try:
        await asyncio.wait_for(consumer.start(), TIMEOUT_SECONDS)
        existing = await consumer.topics()
        prefix = look.options.kafka_prefix
        for service, name in look.options.dead_letters.items():
            topic = prefix + name
            if topic in existing:
                await _look_into(consumer, topic, service, look, verdict)
            else:
                verdict.notes.append(f"topic {topic} does not exist")
    except (KafkaError, OSError, TimeoutError) as error:
        verdict.unreadable.append(f"Kafka at {look.options.kafka_broker}: {error!r}. {IS_IT_UP}")
    finally:
        await consumer.stop()


async def _look_into(consumer: AIOKafkaConsumer, topic: str, service: str, look: Look, verdict: Verdict) -> None:
    database, prefix = look.snapshots.by_service[service], look.options.kafka_prefix
    letters: dict[str, tuple[Message | None, Finding]] = {}
    async for record in _records(consumer, topic):
        place, headers = _place(f"{record.topic}/{record.partition}/{record.offset}", prefix), header_texts(record)
        if named := [headers[marker] for marker in MARKERS if marker in headers]:
            letters.pop(_place(named[0], prefix), None)
        else:
            verdict.looked += 1
            letters[place] = _message(record, service), _finding(place, record, headers)
    possible = inbox.possible_ids([message for message, _ in letters.values() if message])
    handled = {row["message_id"]: row["subject"] for row in await database.fetch(HANDLED, possible)}
    still_open = [finding for message, finding in letters.values() if not _is_handled(message, handled)]
    verdict.add(still_open[:MOST], len(still_open))


def _message(record: ConsumerRecord, service: str) -> Message | None:
    """None for what the service cannot read, and so has not handled."""
    with suppress(InvalidRecord):
        return from_record(record, READS[service])
    return None


def _is_handled(message: Message | None, handled: Mapping[UUID, int | None]) -> bool:
    return message is not None and inbox.entries([message], handled)[0].id in handled


def _place(text: str, prefix: str) -> str:
    """A place as `dlq list` shows it; a marker names it with the topic's suffix."""
    return text.removeprefix(prefix).replace(".dlq/", "/")


def _finding(place: str, record: ConsumerRecord, headers: Mapping[str, str]) -> Finding:
    origin = "/".join(headers.get(f"original-{part}", "?") for part in ("topic", "partition", "offset"))
    what = f"dead letter {place} from {origin}, attempt {headers.get('attempt', '?')}: {headers.get('error', '?')}"
    saga_id, order_id = saga_id_of(record.key, record.value), uuid_of(body_of(record.value).get("orderId"))
    return Finding(what, f'make dlq ARGS="show {place}", then redrive or drop it', saga_id, order_id)


async def _records(consumer: AIOKafkaConsumer, topic: str) -> AsyncIterator[ConsumerRecord]:
    """What is in the topic now, from the beginning to the end; nothing is committed, no group is joined."""
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or (0,)]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    for partition, offset in (await consumer.beginning_offsets(partitions)).items():
        consumer.seek(partition, offset)
    async with asyncio.timeout(TIMEOUT_SECONDS) as patience:
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                patience.reschedule(asyncio.get_running_loop().time() + TIMEOUT_SECONDS)
                for record in records:
                    if record.offset < ends[partition]:
                        yield record
