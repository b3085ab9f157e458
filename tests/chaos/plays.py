"""What a customer and the world do in a scenario of the sweep: each brings a saga to its end, and returns its id."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from kafka_init.topics import declared_topics
from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Service
from tests.chaos.faults import broken
from tests.chaos.system import System
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER
from tests.support.wire import CHARGE, CHARGED, RESERVE

Play: TypeAlias = Callable[[System], Awaitable[str]]
Wait: TypeAlias = Callable[[], Awaitable[None]]


def asking(**flags: bool) -> Play:
    """Nothing but a customer."""

    async def play(system: System) -> str:
        return await system.checkout(flags)

    return play


def silent(service: Service, *steps: str, act: str = "") -> Play:
    """A service stands still until the saga's step is one of these; then, if so asked, an operator acts."""

    async def play(system: System) -> str:
        async with system[service].frozen():
            saga_id = await system.checkout()
            await system.reaches(saga_id, step=steps)
            if act:
                await system.operate(saga_id, act)
        return saga_id

    return play


async def resolved(system: System) -> str:
    """Nobody answers the compensation either, until an operator ends the saga."""
    async with system[PAYMENT].frozen():
        saga_id = await system.checkout()

        async def flagged() -> None:
            saga = await system.saga(saga_id)
            assert saga["needs_attention"] or saga["status"] != "RUNNING"  # the order may have timed out before

        await eventually(flagged, within=60)
        await system.operate(saga_id, "resolve")
    return saga_id


async def order_refused(system: System) -> str:
    """A cancelled order stands where the saga's own would be created."""
    async with system[ORDER].frozen():
        saga_id = await system.checkout()
        order_id = (await system.saga(saga_id))["order_id"]
        await system.databases.order.execute(
            "insert into orders (order_id, user_id, total_amount, status) values ($1, 'chaos', 19.99, 'CANCELLED')",
            order_id,
        )
    return saga_id


BROKEN: Mapping[Service, tuple[str, ...]] = {
    PAYMENT: ("payments",),
    INVENTORY: ("reservations",),
    ORCHESTRATOR: ("sagas", "new.position = 2"),
}


async def failing(system: System) -> str:
    """Three services cannot write their rows, as after a bad release, each until it has parked a message."""
    async with AIOKafkaConsumer(bootstrap_servers=KAFKA_BROKER) as consumer, AsyncExitStack() as mended:
        waiting = [await mended.enter_async_context(_broken(system, service, consumer)) for service in BROKEN]
        saga_id = await system.checkout()
        await asyncio.gather(*(wait() for wait in waiting))
    return saga_id


@asynccontextmanager
async def _broken(system: System, service: Service, consumer: AIOKafkaConsumer) -> AsyncIterator[Wait]:
    """What to wait for: that it has parked something and its table is mended. Mended in the end in any case."""
    topic = f"{service.name}.retry.5s"
    retries = [TopicPartition(topic, number) for number in range(declared_topics()[topic].num_partitions)]
    before = await consumer.end_offsets(retries)

    async def has_parked() -> None:
        assert await consumer.end_offsets(retries) != before, f"{service.name} parks nothing"

    async with AsyncExitStack() as mending:
        await mending.enter_async_context(broken(system, service, *BROKEN[service]))

        async def mended_when_parked() -> None:
            await eventually(has_parked, within=60)
            await mending.aclose()

        yield mended_when_parked


async def poisoned(system: System) -> str:
    """Bytes that are no message, beside a good checkout."""
    for topic in (CHARGE, RESERVE, CHARGED):
        await system.wire.send_raw(topic, b"\xff poison")
    return await system.checkout()
