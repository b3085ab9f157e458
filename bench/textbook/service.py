"""What the four textbook services share: a pool, an outbox and its relay, an inbox and its consumer."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Body: TypeAlias = dict[str, Any]
Connection: TypeAlias = Any
AfterCommit: TypeAlias = Callable[[], None] | None
Handler: TypeAlias = Callable[[Connection, Body], Awaitable[AfterCommit]]

POLL_SECONDS = 0.05
POLL_ROWS = 100
BROKER = os.environ.get("KAFKA_BROKER", "127.0.0.1:9092")
MESSAGING = """
create table inbox (message_id uuid primary key, handled_at timestamptz not null default now());
create table outbox (
    id bigserial primary key,
    message_id uuid not null,
    topic text not null,
    key text not null,
    body jsonb not null,
    created_at timestamptz not null default now(),
    published_at timestamptz
);
create index outbox_unpublished on outbox (id) where published_at is null;"""


class Wire(BaseModel):
    """camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Service:
    """A FastAPI application with its pool and loops; the tables are made at the first start."""

    def __init__(self, name: str, table: str, schema: str) -> None:
        self.name = name
        self.table = table
        self.schema = schema
        self.handlers: dict[str, Handler] = {}
        self.loops: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.pool: Any = None
        self.app = FastAPI(lifespan=self._lifespan)
        self.app.get("/readyz")(self._ready)

    async def _ready(self) -> dict[str, bool]:
        return {"ready": True}

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(min_size=2, max_size=10) as self.pool:
            if not await self.pool.fetchval("select to_regclass($1)", self.table):
                await self.pool.execute(self.schema + MESSAGING)
            loops = [self._relay, self._consume] if self.handlers else []
            tasks = [asyncio.create_task(loop()) for loop in (*loops, *self.loops)]
            for task in tasks:
                task.add_done_callback(_die_with)
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay(self) -> None:
        async with AIOKafkaProducer(bootstrap_servers=BROKER, acks="all", enable_idempotence=True) as producer:
            while True:
                rows = await self.pool.fetch(
                    "select id, message_id, topic, key, body from outbox where published_at is null"
                    " order by id limit $1",
                    POLL_ROWS,
                )
                for row in rows:
                    headers = [("message-id", str(row["message_id"]).encode())]
                    await producer.send_and_wait(
                        row["topic"], row["body"].encode(), row["key"].encode(), headers=headers
                    )
                    await self.pool.execute("update outbox set published_at = now() where id = $1", row["id"])
                await asyncio.sleep(POLL_SECONDS)

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(
            *self.handlers,
            bootstrap_servers=BROKER,
            group_id=f"textbook-{self.name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        async with consumer:
            async for record in consumer:
                message_id = UUID(dict(record.headers)["message-id"].decode())
                await self._handle(message_id, self.handlers[record.topic], json.loads(record.value))
                await consumer.commit()

    async def _handle(self, message_id: UUID, handler: Handler, body: Body) -> None:
        after_commit = None
        async with self.pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(
                "insert into inbox (message_id) values ($1) on conflict do nothing returning message_id", message_id
            ):
                after_commit = await handler(connection, body)
        if after_commit:
            after_commit()

    def run(self) -> None:
        """Serve until SIGTERM."""
        uvicorn.run(self.app, host="127.0.0.1", port=int(os.environ["PORT"]), workers=1, log_level="warning")


async def send(connection: Connection, topic: str, body: Body) -> None:
    """Put a message into the outbox, in the caller's transaction."""
    await connection.execute(
        "insert into outbox (message_id, topic, key, body) values ($1, $2, $3, $4)",
        uuid4(),
        topic,
        body["sagaId"],
        json.dumps(body),
    )


def _die_with(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        print(f"a loop died: {task.exception()!r}", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
