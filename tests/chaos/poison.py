"""What no service can read, and what became of it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from kafka_init.topics import declared_topics
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER
from tests.support.wire import GARBAGE

SUFFIX = ".dlq"
DEAD_LETTERS = [topic for topic in declared_topics() if topic.endswith(SUFFIX)]
READ = [topic for topic in declared_topics() if topic not in DEAD_LETTERS]
SHAPES = [b'{"sagaId": "x"}', b'{"orderId": 1}', b'{"sagaId": null, "orderId": null, "amount": "abc"}']
BAD_HEADERS = [("message-id", b"x"), ("causation-id", b"\xff"), ("traceparent", b"\x00")]
MEGABYTE = 1_000_000
AT_ONCE = 200

Place = tuple[str, int, int]


def any_poison(dice: random.Random, number: int) -> bytes | None:
    """Random bytes, a null, a wrong shape; every hundredth is a megabyte."""
    if number % 100 == 0:
        return dice.randbytes(MEGABYTE)
    return dice.choice([dice.randbytes(dice.randint(1, 2000)), dice.choice([*GARBAGE, *SHAPES])])


async def pour(amount: int, dice: random.Random) -> set[Place]:
    """So many records over all topics that anybody reads; where each of them stands."""
    places: set[Place] = set()
    async with AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER, max_request_size=2 * MEGABYTE) as producer:
        for first in range(0, amount, AT_ONCE):
            sent = [
                await producer.send(
                    READ[number % len(READ)],
                    any_poison(dice, number),
                    key=dice.randbytes(8),
                    headers=BAD_HEADERS if number % 3 == 0 else [],
                )
                for number in range(first, min(first + AT_ONCE, amount))
            ]
            places |= {(done.topic, done.partition, done.offset) for done in await asyncio.gather(*sent)}
    return places


@asynccontextmanager
async def dead_letters() -> AsyncIterator["Letters"]:
    """Those that come from now on."""
    async with AIOKafkaConsumer(bootstrap_servers=KAFKA_BROKER, enable_auto_commit=False) as consumer:
        consumer.assign([TopicPartition(topic, 0) for topic in DEAD_LETTERS])
        await consumer.seek_to_end()
        yield Letters(consumer)


@dataclass(frozen=True)
class Letter:
    """A dead letter: where it lies, as `make dlq` names it, under which message id, and why."""

    place: str
    message_id: UUID
    reason: str


class Letters:
    """The dead letters that have come, by where they stood when they failed."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.found: dict[Place, Letter] = {}

    async def hold(self, places: set[Place], within: float = 60) -> None:
        """Wait until each of these is a dead letter."""

        async def all_there() -> None:
            for records in (await self._consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    self._add(record)
            missing = places - self.found.keys()
            assert not missing, f"{len(missing)} of {len(places)} are no dead letters, such as {min(missing)}"

        await eventually(all_there, within)

    def _add(self, record: ConsumerRecord) -> None:
        headers = {name: value.decode() for name, value in record.headers}
        origin = [headers[f"original-{part}"] for part in ("topic", "partition", "offset")]
        place = f"{record.topic.removesuffix(SUFFIX)}/{record.partition}/{record.offset}"
        letter = Letter(place, UUID(headers["message-id"]), headers["error"])
        self.found[origin[0], int(origin[1]), int(origin[2])] = letter
