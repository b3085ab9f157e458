"""A record that could not be handled, as it is parked: on which topic, with which headers, and how it is cut down."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias
from uuid import UUID

from aiokafka import ConsumerRecord

from chassis.errors import Hopeless
from chassis.records import count_in, header_texts, message_id_of, saga_id_of

LONGEST_HEADER: Final = 1000
"""In characters; a copy with its headers must fit into the topics of failures, whatever a stranger has sent."""
CUTS: Final = ((300, 10_000), (100, 200))
"""What is left of each header, in characters, and of the value, in bytes, where the whole is refused."""
KEPT: Final = ("message-type", "causation-id", "traceparent", "redrives")

Headers: TypeAlias = list[tuple[str, bytes]]
Identity: TypeAlias = tuple[UUID, str, int, int]
"""What a message shares with itself, sent again: id, topic, how often it was redriven, and what it says."""


def identity_of(record: ConsumerRecord, stages: Collection[str]) -> Identity:
    """On whatever topic it is now. An id alone does not do, since a stranger may use one for two messages."""
    headers = header_texts(record)
    topic = headers.get("original-topic", "") if record.topic in stages else record.topic
    return message_id_of(record, headers), topic, count_in(headers, "redrives"), hash(record.value or b"")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a copy; a cut one is for people, and never tried again."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    is_cut: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """Of one record; `stage` counts the topics of failures from 1, of which the dead letters are the last."""

    record: ConsumerRecord
    stages: Sequence[str]
    stage: int
    message_id: UUID
    headers: Mapping[str, str]
    identity: Identity

    @classmethod
    def of(cls, record: ConsumerRecord, error: BaseException, stages: Sequence[str]) -> "Copy":
        """After this error: on to the next stage, or to the last."""
        headers = header_texts(record)
        earlier: Mapping[str, str] = headers if record.topic in stages else {}
        attempt = count_in(earlier, "attempt") + 1
        identity = identity_of(record, stages)
        new = {
            "original-topic": earlier.get("original-topic", record.topic),
            "original-partition": earlier.get("original-partition", str(record.partition)),
            "original-offset": earlier.get("original-offset", str(record.offset)),
            "message-id": str(identity[0]),
            "attempt": str(attempt),
            "error": f"{type(error).__name__}: {error}".replace("\0", "\\0"),
            "failed-at": datetime.now(UTC).isoformat(timespec="milliseconds"),  # noqa: TID251 -- for people
        } | {name: headers[name] for name in KEPT if name in headers}
        last = len(stages)
        stage = last if isinstance(error, Hopeless) else min(attempt, last)
        return cls(record, stages, stage, identity[0], new, identity)

    @property
    def topic(self) -> str:
        """Where it belongs."""
        return self.stages[self.stage - 1]

    @property
    def size(self) -> int:
        """In bytes, about."""
        return len(self.record.value or b"") + sum(map(len, self.headers.values()))

    def forms(self) -> Iterator[Form]:
        """Whole where it belongs, else whole among the dead letters, else cut down there."""
        record, dead_letters = self.record, self.stages[-1]
        value = record.value or b""
        for topic in dict.fromkeys((self.topic, dead_letters)):
            yield Form(topic, record.key, value, _encoded(self.headers, LONGEST_HEADER))
        key = record.key or str(self.message_id).encode()  # a compacted topic refuses who has none
        for longest_header, bytes_left in CUTS:
            cut = {"cut": f"{min(len(value), bytes_left)} of {len(value)} bytes are left; the original has all of them"}
            headers = _encoded({**self.headers, **cut}, longest_header)
            yield Form(dead_letters, key, value[:bytes_left], headers, is_cut=True)


def place_of(record: ConsumerRecord) -> dict[str, str | int]:
    """What a log line says of a record."""
    saga_id = str(saga_id_of(record.key, record.value) or (record.key or b"").decode(errors="replace"))
    place = {"from_topic": record.topic, "partition": record.partition, "offset": record.offset}
    return {"saga_id": saga_id[:LONGEST_HEADER]} | place


def _encoded(headers: Mapping[str, str], longest: int) -> Headers:
    return [(name, value[:longest].encode()) for name, value in headers.items()]
