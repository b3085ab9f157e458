"""The stack is already running; here is how a test reaches it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from tests.support.databases import Databases, connect
from tests.support.stack import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, SERVICES, Service
from tests.support.wire import Wire, tapped

START = "start it with `make up` or `docker compose up -d --wait`, and say its PORT_OFFSET"


@pytest.fixture(scope="session", autouse=True)
def _running_stack() -> None:
    for service in SERVICES:
        try:
            answer = httpx.get(f"{service.url}/readyz")
        except httpx.TransportError as error:
            pytest.fail(f"{service} does not answer at {service.url} ({error}): {START}", pytrace=False)
        if answer.status_code != 200:
            pytest.fail(f"{service} is not ready ({answer.text}): {START}", pytrace=False)


def client(service: Service) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=service.url, timeout=30, limits=httpx.Limits(max_connections=None))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """The orchestrator."""
    async with client(ORCHESTRATOR) as http:
        yield http


@pytest.fixture
async def orders() -> AsyncIterator[httpx.AsyncClient]:
    async with client(ORDER) as http:
        yield http


@pytest.fixture
async def payments() -> AsyncIterator[httpx.AsyncClient]:
    async with client(PAYMENT) as http:
        yield http


@pytest.fixture
async def inventory() -> AsyncIterator[httpx.AsyncClient]:
    async with client(INVENTORY) as http:
        yield http


@pytest.fixture
async def databases() -> AsyncIterator[Databases]:
    async with connect() as databases:
        yield databases


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with tapped() as wire:
        yield wire


@pytest.fixture
def user() -> str:
    """Nobody's name but this test's."""
    return f"user-{uuid4()}"
