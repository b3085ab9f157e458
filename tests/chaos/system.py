"""The four services together, and what the tests do with them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from local.instance import ORCHESTRATOR, SERVICES, Service
from tests.chaos.processes import QUICK, Process
from tests.support import databases as db
from tests.support.consistency import disagreements
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.wire import Wire, tapped

ALL_WELL = {"forcePaymentFail": False, "forceInventoryFail": False}
Saga = Mapping[str, Any]


class Customer(httpx.AsyncClient):
    """A client that counts how often it was let down."""

    let_down = 0

    async def send(self, *arguments: Any, **options: Any) -> httpx.Response:
        """Count lost connections and answers of 503."""
        try:
            answer = await super().send(*arguments, **options)
        except httpx.TransportError:
            self.let_down += 1
            raise
        self.let_down += answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        return answer


class System:
    """Processes by service, the databases behind them, and a customer in front."""

    def __init__(self, processes: Mapping[Service, Process], databases: Databases, wire: Wire) -> None:
        self.processes = processes
        self.databases = databases
        self.wire = wire
        self.http = Customer(
            base_url=processes[ORCHESTRATOR].url, timeout=30, limits=httpx.Limits(max_connections=None)
        )

    def __getitem__(self, service: Service) -> Process:
        return self.processes[service]

    async def ready(self) -> None:
        """Wait until all four are."""
        await asyncio.gather(*(process.ready() for process in self.processes.values()))

    async def checkout(self, flags: Mapping[str, Any] = ALL_WELL, key: str | None = None) -> str:
        """Begin a checkout, as often as it takes, under one Idempotency-Key; the saga's id."""
        body = {"userId": "chaos", "totalAmount": 19.99, **flags}
        headers = {"Idempotency-Key": key or str(uuid4()), "Prefer": "respond-async"}

        async def accepted() -> str:
            answer = await self.http.post("/checkout", json=body, headers=headers)
            assert answer.status_code != 503, answer.text
            saga_id: str = answer.json()["sagaId"]
            return saga_id

        return await eventually(accepted, within=60)

    async def operate(self, saga_id: str, action: str) -> int:
        """An operator's click, repeated until it is answered."""

        async def answered() -> int:
            headers = {"Authorization": f"Bearer {QUICK['OPERATOR_TOKEN']}"}
            answer = await self.http.post(f"/sagas/{saga_id}/{action}", json={"reason": "a test"}, headers=headers)
            assert answer.status_code != 503, answer.text
            return answer.status_code

        return await eventually(answered, within=60)

    async def saga(self, saga_id: str) -> Saga:
        """Its row."""
        row = await self.databases.orchestrator.fetchrow("select * from sagas where saga_id = $1", saga_id)
        assert row is not None, f"saga {saga_id} is lost"
        return dict(row)

    async def reaches(self, saga_id: str, within: float = 60, **wanted: Collection[Any]) -> None:
        """Wait until these columns have one of these values."""

        async def reached() -> None:
            row = await self.saga(saga_id)
            assert all(row[name] in values for name, values in wanted.items()), f"{dict(row)}, not {wanted}"

        await eventually(reached, within)

    async def ended(self, saga_id: str, within: float = 60) -> None:
        """Wait until the saga is terminal."""
        await self.reaches(saga_id, within, status=("COMPLETED", "FAILED"))

    async def owes(self, service: Service, message_type: str) -> None:
        """Wait until an outbox has such a message whose lease is over: whoever starts now must send it."""
        query = "select count(*) from outbox where published_at is null and type = $1 and publish_after < now()"

        async def due() -> None:
            assert await self.database(service).fetchval(query, message_type), f"{service.name} owes no {message_type}"

        await eventually(due)

    async def sent(self, service: Service, message_type: str, saga_ids: Collection[str]) -> None:
        """Wait until a receiver has acknowledged such a message of each of these sagas."""
        query = "select count(*) from outbox where type = $1 and key = any($2::uuid[]) and published_at is not null"

        async def all_sent() -> None:
            found = await self.database(service).fetchval(query, message_type, saga_ids)
            assert found == len(saga_ids), f"{service.name} has sent {found} {message_type} of {len(saga_ids)}"

        await eventually(all_sent)

    def database(self, service: Service) -> "asyncpg.Pool[asyncpg.Record]":
        """The service's own."""
        pool: asyncpg.Pool[asyncpg.Record] = getattr(self.databases, service.database.owner)
        return pool

    async def agree(self, saga_ids: Collection[str], within: float = 30) -> None:
        """Wait until the four databases tell one story about these sagas."""

        async def no_contradiction() -> None:
            assert await disagreements(self.databases, saga_ids) == []

        await eventually(no_contradiction, within)


@asynccontextmanager
async def running(
    settings: Mapping[str, str] | None = None,
    modules: Mapping[Service, str] | None = None,
    replica: int = 0,
    own: Callable[[Service], Mapping[str, str]] = lambda _: {},
) -> AsyncIterator[System]:
    """All four, started; killed on the way out, since whoever starts next recovers what was left.

    `settings` are for all of them, `own` for each; `modules` replaces what a service runs.
    """
    modules, settings = modules or {}, QUICK | dict(settings or {})
    processes = {s: Process(s, replica, modules.get(s, ""), settings | dict(own(s))) for s in SERVICES}
    try:
        for process in processes.values():
            process.start()
        await asyncio.gather(*(process.ready() for process in processes.values()))
        async with db.connect() as databases, tapped() as wire:
            system = System(processes, databases, wire)
            yield system
            await system.http.aclose()
    finally:
        for process in processes.values():
            await process.end()
