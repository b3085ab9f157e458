"""One process for supervisord, and how to see that it is ready."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
from aiokafka.client import AIOKafkaClient

from local.instance import Database, Instance

Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Program:
    """`ports` must be free before it starts; `user` None is whoever runs this; `stop_signal` goes without SIG."""

    name: str
    command: tuple[str, ...]
    ports: tuple[int, ...]
    ready: Probe
    """Raises until the process can be used."""
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: str = "TERM"


def answers_sql(instance: Instance, database: Database) -> Probe:
    """A probe that logs in as the owner, within 2 seconds."""

    async def probe() -> None:
        connection = await asyncpg.connect(**instance.login(database), timeout=2)
        await connection.close()

    return probe


def answers_kafka(broker: Callable[[], str]) -> Probe:
    """A probe that asks for metadata; `broker` is called each time, since a stand-in's address comes late."""

    async def probe() -> None:
        client = AIOKafkaClient(bootstrap_servers=broker(), request_timeout_ms=2000)
        try:
            await client.bootstrap()
        finally:
            await client.close()

    return probe


def answers_http(url: str) -> Probe:
    """A probe that wants a 2xx from `url`/readyz, within 2 seconds."""

    async def probe() -> None:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            (await client.get(f"{url}/readyz")).raise_for_status()

    return probe
