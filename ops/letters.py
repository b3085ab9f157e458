"""The dead letters: records of `<service>.dlq`. One is open until a later record there, a marker, names its place."""

import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from chassis.records import body_of, count_in, header_texts, saga_id_of, uuid_of
from kafka_init.topics import declared_topics
from local import kafka
from local.problem import Problem

SUFFIX: Final = ".dlq"
RETRY: Final = ".retry."
ENDINGS: Final = ("redriven", "dropped")
KEPT: Final = ("message-id", "message-type", "causation-id", "traceparent")
LARGEST_BYTES: Final = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dead letter lies: `payment-service/0/17` for people, `payment-service.dlq/0/17` in a marker."""

    service: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Either form; `Problem` if it is neither."""
        with suppress(ValueError):
            service, partition, offset = text.rsplit("/", 2)
            return cls(service.removesuffix(SUFFIX), int(partition), int(offset))
        raise Problem(f"{text} is not a place: that is service/partition/offset, as `list` shows it.")

    @property
    def topic(self) -> str:
        """The dead-letter topic."""
        return self.service + SUFFIX

    def __str__(self) -> str:
        return f"{self.service}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Letter:
    """A message that could not be handled, with the reason, as `chassis.retries` parked it."""

    place: Place
    key: bytes | None
    value: bytes
    headers: Mapping[str, str]

    @cached_property
    def saga_id(self) -> UUID | None:
        """The saga that the body names, else the key."""
        return saga_id_of(self.key, self.value)

    @cached_property
    def order_id(self) -> UUID | None:
        """The order that the body names."""
        return uuid_of(body_of(self.value).get("orderId"))

    @property
    def message_id(self) -> UUID | None:
        """The message's own id."""
        return uuid_of(self.headers.get("message-id"))

    @property
    def topic(self) -> str:
        """Where it was read when it failed, and where a redrive sends it."""
        return self.headers.get("original-topic", "?")

    @property
    def is_cut(self) -> bool:
        """Whether its topic did not take the whole, which lies where it failed."""
        return "cut" in self.headers

    @property
    def redrives(self) -> int:
        """How often it has been redriven already."""
        return count_in(self.headers, "redrives")


class DeadLetters:
    """Reads the topics of failures to their ends; sends a letter to where it came from, and marks it."""

    def __init__(
        self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, kinds: Sequence[str], since: datetime | None
    ) -> None:
        self._prefix = kafka.prefix()
        self._consumer = consumer
        self._producer = producer
        self._kinds = kinds
        self._since = since

    async def closed(self) -> dict[Place, str]:
        """Whatever a marker names, and what became of it in words; a stranger's marker is passed over."""
        found, strange = {}, []
        async for record in self._records():
            headers = header_texts(record)
            for ending in ENDINGS:
                if ending in headers:
                    by, why, at = (headers.get(name, "?") for name in ("by", "why", "at"))
                    try:
                        found[Place.parse(headers[ending])] = f"{ending} by {by} at {at}: {why}"
                    except Problem:
                        strange.append(str(_place(record)))
        if strange:  # not on stdout, which may be JSON
            print(f"Passed over, as markers that name no place: {', '.join(strange)}", file=sys.stderr)
        return found

    async def all(self, *, but: Iterable[Place] = ()) -> AsyncIterator[Letter]:
        """Every letter that is there now, one after the other, apart from those at some places."""
        left_out = frozenset(but)
        async for record in self._records():
            letter = _letter(record)
            if letter and letter.place not in left_out:
                yield letter

    async def at(self, place: Place) -> Letter:
        """The letter at this place; `Problem` if there is none."""
        partition = TopicPartition(self._prefix + place.topic, place.partition)
        if partition in await self._partitions():
            async for record in self._read({partition: place.offset}, {partition: place.offset + 1}):
                if letter := _letter(record):
                    return letter
        raise Problem(f"There is no dead letter at {place}; `list` shows those that are open.")

    async def whole(self, letter: Letter) -> bytes | None:
        """The body, from where the message failed if this letter is cut; None if it is there no more."""
        if not letter.is_cut:
            return letter.value
        partition, offset = (count_in(letter.headers, f"original-{name}") for name in ("partition", "offset"))
        original = TopicPartition(self._prefix + letter.topic, partition)
        first = await self._consumer.beginning_offsets([original])
        if offset < first[original]:
            return None
        async for record in self._read({original: offset}, {original: offset + 1}):
            value: bytes = record.value or b""
            return value if record.offset == offset and value.startswith(letter.value) else None
        return None

    async def redrive(self, letter: Letter, body: bytes) -> None:
        """Send it to its original topic under its own message id; return when the broker has it."""
        headers = {name: letter.headers[name] for name in KEPT if name in letter.headers}
        headers["redrives"] = str(letter.redrives + 1)
        await self._producer.send_and_wait(self._prefix + letter.topic, body, key=letter.key, headers=_encoded(headers))

    async def mark(self, letter: Letter, ending: str, by: str, why: str) -> None:
        """Write what became of a letter behind it, in its own partition."""
        place, now = letter.place, datetime.now(UTC).isoformat(timespec="milliseconds")
        headers = {ending: f"{place.topic}/{place.partition}/{place.offset}", "by": by, "why": why, "at": now}
        await self._producer.send_and_wait(
            self._prefix + place.topic, b"", key=letter.key, partition=place.partition, headers=_encoded(headers)
        )

    async def _records(self) -> AsyncIterator[ConsumerRecord]:
        partitions = await self._partitions()
        if partitions:
            ends = await self._consumer.end_offsets(partitions)
            async for record in self._read(await self._starts(partitions, ends), ends):
                yield record

    async def _starts(
        self, partitions: Sequence[TopicPartition], ends: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int]:
        if self._since is None:
            starts: Mapping[TopicPartition, int] = await self._consumer.beginning_offsets(partitions)
            return starts
        at_ms = int(self._since.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, at_ms))
        return {partition: at.offset if at else ends[partition] for partition, at in found.items()}

    async def _partitions(self) -> list[TopicPartition]:
        there = await self._consumer.topics()
        meant = [name for name in declared_topics() if any(kind in name for kind in self._kinds)]
        topics = [self._prefix + name for name in meant if self._prefix + name in there]
        return [TopicPartition(name, p) for name in topics for p in await self._producer.partitions_for(name)]

    async def _read(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[ConsumerRecord]:
        """What lies from these offsets up to, and without, those; a partition at a time."""
        last = await self._consumer.end_offsets(list(ends))
        for partition, start in starts.items():
            end = min(ends[partition], last[partition])
            self._consumer.assign([partition])
            self._consumer.seek(partition, start)
            while await self._consumer.position(partition) < end:
                polled = await self._consumer.getmany(timeout_ms=500)
                for record in polled.get(partition, ()):
                    if record.offset < end:
                        record.topic = record.topic.removeprefix(self._prefix)
                        yield record


@asynccontextmanager
async def connected(
    kafka_broker: str, kinds: Sequence[str] = (SUFFIX,), since: datetime | None = None
) -> AsyncIterator[DeadLetters]:
    """The dead letters of a broker, or the copies of these kinds of topics; those from a moment on, if one is given.

    No group is joined and no offset committed.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka_broker,
        enable_auto_commit=False,
        fetch_max_wait_ms=20,  # at the end of a partition there is nothing to wait for
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_broker, acks="all", enable_idempotence=True, max_request_size=LARGEST_BYTES
    )
    try:
        await consumer.start()
        await producer.start()
        yield DeadLetters(consumer, producer, kinds, since)
    finally:
        await producer.stop()
        await consumer.stop()


def _letter(record: ConsumerRecord) -> Letter | None:
    headers = header_texts(record)
    if any(ending in headers for ending in ENDINGS):
        return None
    return Letter(_place(record), record.key, record.value or b"", headers)


def _place(record: ConsumerRecord) -> Place:
    return Place(record.topic.removesuffix(SUFFIX), record.partition, record.offset)


def _encoded(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items()]
