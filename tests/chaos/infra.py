"""Postgres and Kafka, killed and kept away, by way of the supervisord that `local` runs them under."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xmlrpc.client import ServerProxy

from aiokafka.errors import KafkaError
from asyncpg import PostgresError
from supervisor.xmlrpc import SupervisorTransport

from local import configuration
from local.instance import DATABASES, Database
from local.program import Probe, answers_kafka, answers_sql
from local.supervisor import Supervisor, wait_until
from tests.chaos.processes import HERE
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER

KAFKA = "kafka"
SUPERVISOR = Supervisor(HERE)
PROBES: dict[str, Probe] = {
    KAFKA: answers_kafka(lambda: KAFKA_BROKER),
    **{database.program: answers_sql(HERE, database) for database in DATABASES},
}


@asynccontextmanager
async def away(name: str) -> AsyncIterator[None]:
    """Killed by SIGKILL at the beginning of the block, started again at its end."""
    await asyncio.to_thread(_remove, name)
    try:
        yield
    finally:
        await asyncio.to_thread(_supervisord().startProcess, name, False)
        await eventually(lambda: _answers(name), within=90)


async def kill(database: Database) -> None:
    """SIGKILL for the whole family of a Postgres; it is started again at once."""
    async with away(database.program):
        pass


def send(name: str, number: signal.Signals) -> None:
    """A signal to a server and its children."""
    SUPERVISOR.send(name, number)


def _remove(name: str) -> None:
    """supervisord starts again what dies, unless it was told to stop it: so it is told, and what it says not heard."""
    send(name, signal.SIGSTOP)
    _supervisord().stopProcess(name, False)
    send(name, signal.SIGKILL)
    wait_until(lambda: any(p.name == name and p.state == "STOPPED" for p in SUPERVISOR.states()), seconds=10)


def _supervisord() -> Any:
    address = f"unix://{configuration.socket(HERE)}"
    return ServerProxy("http://localhost", transport=SupervisorTransport(serverurl=address)).supervisor


async def _answers(name: str) -> None:
    try:
        await PROBES[name]()
    except (KafkaError, PostgresError, OSError) as error:
        raise AssertionError(f"{name} does not answer: {error!r}") from error
