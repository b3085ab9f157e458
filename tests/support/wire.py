"""A stranger on Kafka: it knows the topics and the bodies, and nothing else unless a test gives it headers."""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER

CHARGE, REFUND = "payment.charge.command", "payment.refund.command"
RESERVE, RELEASE = "inventory.reserve.command", "inventory.release.command"
COMMANDS = (CHARGE, REFUND, RESERVE, RELEASE)

CHARGED, PAYMENT_FAILED, REFUNDED = "payment.charged", "payment.failed", "payment.refunded"
RESERVED, INVENTORY_FAILED, RELEASED = "inventory.reserved", "inventory.failed", "inventory.released"
EVENTS = (CHARGED, PAYMENT_FAILED, REFUNDED, RESERVED, INVENTORY_FAILED, RELEASED)

GARBAGE = [
    *(None, b"", os.urandom(512), b"\x00", b"\xff\xfe{}", b"null", b"[]", b"{}", b'"charge"', b"7", b"NaN", b"{", b"}"),
    *(b"[" * 20_000, b"9" * 5000, b'{"sagaId": 1e400}', b'{"sagaId": "\\ud800", "orderId": "\\u0000"}'),
]
"""Values that are no message."""


@dataclass(frozen=True)
class Record:
    topic: str
    key: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def message_id(self) -> UUID:
        return UUID(self.headers["message-id"])


class Wire:
    def __init__(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self._producer, self._consumer = producer, consumer
        self._seen: list[Any] = []

    async def send(
        self,
        topic: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        partition: int | None = None,
    ) -> None:
        encoded = [(name, value.encode()) for name, value in (headers or {}).items()]
        await self._producer.send_and_wait(topic, json.dumps(body).encode(), headers=encoded, partition=partition)

    async def send_raw(self, topic: str, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """One copy to each partition."""
        for partition in await self._producer.partitions_for(topic):
            await self._producer.send_and_wait(topic, value, key=b"any", partition=partition, headers=headers)

    async def heard(self, key: str, *topics: str, count: int = 1) -> list[Record]:
        """The messages with this key on these topics since this stranger began to listen, at least so many of them."""

        async def enough() -> list[Record]:
            for records in (await self._consumer.getmany(timeout_ms=50)).values():
                self._seen += records
            found = [r for r in self._seen if r.key == key.encode() and r.topic in topics]
            assert len(found) >= count, f"heard {len(found)} of {count} messages for {key} on {topics}"
            return [_record(r) for r in found]

        return await eventually(enough)


def _record(raw: Any) -> Record:
    headers = {name: value.decode() for name, value in raw.headers}
    return Record(raw.topic, raw.key.decode(), json.loads(raw.value), headers)


@asynccontextmanager
async def tapped() -> AsyncIterator[Wire]:
    """A stranger that listens to every topic, from now on."""
    async with (
        AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER) as producer,
        AIOKafkaConsumer(bootstrap_servers=KAFKA_BROKER, enable_auto_commit=False) as consumer,
    ):
        topics = (*COMMANDS, *EVENTS)
        consumer.assign([TopicPartition(t, p) for t in topics for p in await producer.partitions_for(t)])
        await consumer.seek_to_end()
        yield Wire(producer, consumer)
