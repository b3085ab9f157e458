"""A service that counts: the whole chassis around the counters. `python -m tests.integration.counting` is a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from chassis import database
from chassis.batcher import Batcher
from chassis.consumer import Consumer
from chassis.loops import background
from chassis.relay import Relay
from chassis.retries import Retries
from chassis.settings import Settings
from chassis.transport import KafkaTransport
from tests.integration.counters import MIGRATIONS, Bodies, Counter, Counters, bodies


@asynccontextmanager
async def counting(settings: Settings, wired: Bodies, decider: Counters | None = None) -> AsyncIterator[Consumer]:
    """Wired as the services are."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(database.connect(settings, MIGRATIONS))
        kafka = KafkaTransport(settings, [wired.added.destination])
        relay = Relay(pool, settings, [wired.added], kafka)
        batcher: Batcher[Counter] = Batcher(
            pool, decider or Counters(wired.added), settings, [wired.added], relay.publish
        )
        consumer = Consumer(batcher, settings, [wired.add, wired.noted], Retries(kafka, pool, settings))
        await stack.enter_async_context(relay.running())
        await stack.enter_async_context(background(batcher=batcher.run))
        await stack.enter_async_context(consumer.running())
        yield consumer


async def main() -> None:
    settings = Settings()
    async with counting(settings, bodies(settings.service)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
