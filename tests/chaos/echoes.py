"""A relay that nobody asked for: what it sees on a topic it sends there again, in another order, old ones too."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from tests.chaos.poison import Place
from tests.support.stack import KAFKA_BROKER
from tests.support.wire import CHARGE, COMMANDS, EVENTS

MOST_COPIES = 2
"""So that with its original a message comes one to three times."""
OLD_ONES = 2
REMEMBERED = 2_000
GATHER_SECONDS = 0.2
"""The longer, the more there is to shuffle; old ones come once in it, or they would cause each other."""
COPY = ("copy", b"1")
"""A header that keeps a copy from being copied; no service looks at it."""


class Echoes:
    """Copies go to any partition, so that two replicas may get the same message at once.

    A few charge commands are also sent without their ids and with an amount that nobody can read, as a careless
    stranger would. They are the dead letters that can be mended: `broken` says where they stand, and the right body.
    """

    def __init__(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, dice: random.Random) -> None:
        self._consumer = consumer
        self._producer = producer
        self._dice = dice
        self._old: deque[ConsumerRecord] = deque(maxlen=REMEMBERED)
        self.copies = 0
        self.broken: dict[Place, bytes] = {}

    async def run(self, breaking: int) -> None:
        """For ever; what cannot be sent while the broker is away is left out."""
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            with suppress(KafkaError):
                polled = await self._consumer.getmany()
                originals = [r for records in polled.values() for r in records if COPY not in r.headers]
                await self._send(self._shuffled(originals))
                charges = [record for record in originals if record.topic == CHARGE]
                for record in charges[: breaking - len(self.broken)]:
                    await self._break(record)
                self._old += originals

    def _shuffled(self, originals: list[ConsumerRecord]) -> list[ConsumerRecord]:
        copies = [record for record in originals for _ in range(self._dice.randint(0, MOST_COPIES))]
        copies += self._dice.sample(self._old, min(len(self._old), OLD_ONES))
        self._dice.shuffle(copies)
        return copies

    async def _send(self, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            partition = self._dice.choice(sorted(await self._producer.partitions_for(record.topic)))
            headers = [*record.headers, COPY]
            await self._producer.send(record.topic, record.value, record.key, partition, headers=headers)
            self.copies += 1

    async def _break(self, record: ConsumerRecord) -> None:
        with suppress(orjson.JSONDecodeError):
            body = orjson.loads(record.value)
            unreadable = orjson.dumps(body | {"amount": f"EUR {body['amount']}"})
            sent = await self._producer.send_and_wait(CHARGE, unreadable, record.key, headers=[COPY])
            self.broken[sent.topic, sent.partition, sent.offset] = record.value


@asynccontextmanager
async def echoing(dice: random.Random, breaking: int) -> AsyncIterator[Echoes]:
    """Copy all commands and events while the block runs; so many of them get a broken copy."""
    async with (
        AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER) as producer,
        AIOKafkaConsumer(bootstrap_servers=KAFKA_BROKER, enable_auto_commit=False) as consumer,
    ):
        topics = (*COMMANDS, *EVENTS)
        consumer.assign([TopicPartition(t, p) for t in topics for p in await producer.partitions_for(t)])
        await consumer.seek_to_end()
        echoes = Echoes(consumer, producer, dice)
        task = asyncio.create_task(echoes.run(breaking))
        try:
            yield echoes
            assert not task.done(), task
        finally:
            task.cancel()
