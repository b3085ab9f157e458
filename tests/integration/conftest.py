"""A database, topics and settings of one's own, on the servers that `make test-integration` starts."""

from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis import database
from chassis.database import Pool
from chassis.settings import Settings
from tests.integration.counters import MIGRATIONS, Bodies, bodies
from tests.support.databases import ORDER
from tests.support.stack import HOST, KAFKA_BROKER

QUICK: dict[str, Any] = {
    "retry_delays_seconds": {"first": 0.1, "second": 0.2},
    "relay_lease_seconds": 0.5,
    "relay_lease_max_seconds": 0.5,
    "relay_tick_seconds": 0.05,
    "commit_every_seconds": 0.1,
    "poll_wait_ms": 100,
}


@pytest.fixture
async def empty_database() -> AsyncIterator[str]:
    server = await asyncpg.connect(
        host=HOST, port=ORDER.port, user=ORDER.user, password=ORDER.password, database=ORDER.database
    )
    name = f"test_{uuid4().hex}"
    await server.execute(f"create database {name}")
    yield name
    await server.execute(f"drop database {name} with (force)")
    await server.close()


@pytest.fixture
def settings(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A service without a past; everything that it waits for is quick."""
    monkeypatch.delenv("RETRY_DELAYS_SECONDS", raising=False)  # it would be merged with those above
    return Settings(
        service=f"test-{uuid4()}",
        port=0,
        pghost=HOST,
        pgport=ORDER.port,
        pguser=ORDER.user,
        pgpassword=ORDER.password,
        pgdatabase=empty_database,
        kafka_broker=KAFKA_BROKER,
        **QUICK,
    )


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """With the chassis's tables and the counters."""
    async with database.connect(settings, MIGRATIONS) as pool:
        yield pool


@pytest.fixture
async def sagas(settings: Settings) -> AsyncIterator[Pool]:
    """With the orchestrator's tables."""
    async with database.connect(settings, files("saga_orchestrator") / "migrations") as pool:
        yield pool


@pytest.fixture
async def admin() -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA_BROKER)
    await admin.start()
    yield admin
    await admin.close()


@pytest.fixture
async def wired(settings: Settings, admin: AIOKafkaAdminClient) -> AsyncIterator[Bodies]:
    """The counters' messages on topics that exist for this test alone."""
    wired = bodies(settings.service)
    retries = [f"{settings.service}.retry.{name}" for name in settings.retry_delays_seconds]
    names = [*wired.topics, *retries, f"{settings.service}.dlq"]
    as_in_topics_toml = {"compression.type": "uncompressed"}
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs=as_in_topics_toml) for name in names])
    yield wired
    await admin.delete_topics(names)
