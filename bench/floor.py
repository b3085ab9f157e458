"""The floor: a checkout of which only what cannot be left out remains, to see how fast one on these parts could be.

The same nine commits, four hops over Kafka, two order calls and one request, one after the other, through the same
libraries and as many processes. Rows with nothing in them, no outbox, no inbox; nothing is checked and nothing is
decided, and a saga is lost whenever anything goes wrong: it is for comparison only.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.instance import INVENTORY, ORCHESTRATOR, PAYMENT

READS = {
    PAYMENT.name: ("payment.charge.command",),
    INVENTORY.name: ("inventory.reserve.command",),
    ORCHESTRATOR.name: ("payment.charged", "inventory.reserved"),
}
NEXT = {
    "payment.charge.command": "payment.charged",
    "payment.charged": "inventory.reserve.command",
    "inventory.reserve.command": "inventory.reserved",
}
TABLES = """
create table sagas (id bigserial, status text not null, created_at timestamptz default clock_timestamp());
create table steps (id bigserial)"""
BEGIN = "insert into sagas (status) values ('COMPLETED')"
STEP = "insert into steps default values"

Scope = dict[str, Any]


class Floor:
    """One of the four services: an ASGI application with one connection of each kind."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.waiting: dict[bytes, asyncio.Future[None]] = {}
        self.one_at_a_time = asyncio.Lock()

    async def checkout(self) -> None:
        """The orchestrator's part of a saga until its first reply comes over Kafka."""
        saga = os.urandom(16)
        ended = self.waiting[saga] = asyncio.get_running_loop().create_future()
        await self.commit(BEGIN)
        await self.call_order_service()
        await self.commit()
        await self.send("payment.charge.command", saga)
        await ended

    async def consume(self, consumer: AIOKafkaConsumer) -> None:
        """A step for each message; the last is the end of a saga."""
        while True:
            for polled in (await consumer.getmany(timeout_ms=1000)).values():
                for record in polled:
                    await self.commit()
                    if record.topic in NEXT:
                        await self.send(NEXT[record.topic], record.value)
                    else:
                        await self.call_order_service()
                        await self.commit()
                        self.waiting.pop(record.value).set_result(None)

    async def commit(self, statement: str = STEP) -> None:
        """One transaction, one round trip."""
        async with self.one_at_a_time:
            await self.database.fetch(statement)

    async def send(self, topic: str, saga: bytes) -> None:
        """Hand over to the producer, which does not wait for more."""
        await self.producer.send(topic, saga, saga)

    async def call_order_service(self) -> None:
        """Over a connection that is kept."""
        async with self.http.post("/orders") as answer:
            await answer.read()

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Scope]], send: Callable[[Scope], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await receive()
            async with self._running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        if scope["method"] == "POST":
            await (self.checkout() if self.service == ORCHESTRATOR.name else self.commit())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        kafka = {"bootstrap_servers": os.environ["KAFKA_BROKER"]}
        self.database = await asyncpg.connect()
        await self.database.execute(TABLES)
        producer = AIOKafkaProducer(**kafka, acks="all", enable_idempotence=True)
        async with aiohttp.ClientSession(os.environ.get("ORDER_SERVICE_URL")) as self.http, producer as self.producer:
            if self.service not in READS:
                yield
                return
            topics = READS[self.service]
            async with AIOKafkaConsumer(
                *topics, **kafka, group_id=self.service, auto_offset_reset="earliest"
            ) as consumer:
                consuming = asyncio.create_task(self.consume(consumer))
                yield
                consuming.cancel()


if __name__ == "__main__":
    uvicorn.run(
        Floor(sys.argv[1]),
        host=os.environ["HOST"],
        port=int(os.environ["PORT"]),
        workers=1,
        log_level="warning",
        access_log=False,
    )
