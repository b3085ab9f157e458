"""Two replicas of each service behind proxies, what is done to them, and whoever starts again what ends by itself."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

from rich.console import Console

from local.instance import DATABASES, HOST, ORCHESTRATOR, ORDER, Service
from tests.chaos.havoc import Fault
from tests.chaos.infra import KAFKA
from tests.chaos.processes import HERE, Process
from tests.chaos.proxy import Proxy
from tests.chaos.system import System, running
from tests.support.load import History

REPLICAS = 2
LANES = 3
"""So many faults at the same time, each on another target."""
PROXY_STEP = 500
LOOK_EVERY_SECONDS = 0.2
SETTINGS = {"STEP_TIMEOUT_SCALE": "0.05", "RELAY_LEASE_MAX_SECONDS": "4"}
"""A step's five tries are over in 8 s, before a frozen broker is back: so that replies come too late."""


class Soak:
    """The system under load, and what is done to it."""

    def __init__(self, systems: Sequence[System], proxies: Sequence[Proxy], console: Console) -> None:
        self.systems = systems
        self.proxies = proxies
        self.processes: Sequence[Process] = [p for system in systems for p in system.processes.values()]
        self.suffered: Counter[str] = Counter()
        self.ended_by_itself: Counter[str] = Counter()
        self._console = console
        self._began = monotonic()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def suffer(self, plan: Iterator[Fault], histories: Sequence[History]) -> None:
        """One fault after the other, in some lanes, until there are no more."""

        async def lane() -> None:
            for fault in plan:
                async with self._alone(fault):
                    answered = sum(len(history.answers) for history in histories)
                    elapsed = monotonic() - self._began
                    self._console.print(f"{elapsed:6.1f} s  {answered:6} checkouts  {fault}", markup=False)
                    await fault.happen()
                    self.suffered[fault.kind] += 1

        await asyncio.gather(*(lane() for _ in range(LANES)))

    @asynccontextmanager
    async def _alone(self, fault: Fault) -> AsyncIterator[None]:
        """While nothing else happens to its target, nor to what it spares."""
        async with AsyncExitStack() as stack:
            for name in sorted({fault.target, fault.spares} - {""}):  # in one order, or two could block each other
                await stack.enter_async_context(self._locks[name])
            yield

    async def supervise(self) -> None:
        """Start again what has ended without being told to, for ever."""
        while True:
            for process in self.processes:
                if not self._locks[process.name].locked() and not process.lives:
                    self.ended_by_itself[process.name] += 1
                    process.start()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def heal(self) -> None:
        """Wait until every process works again; the tests' own connections may be broken too."""
        await asyncio.gather(*(process.ready() for process in self.processes))
        for database in DATABASES:
            await getattr(self.systems[0].databases, database.owner).expire_connections()


@asynccontextmanager
async def soaking(console: Console) -> AsyncIterator[Soak]:
    """Proxies, systems behind them, and their supervisor."""
    async with AsyncExitStack() as stack:
        proxies = await stack.enter_async_context(proxied())
        systems = [
            await stack.enter_async_context(running(SETTINGS, replica=replica, own=through_proxies(replica)))
            for replica in range(REPLICAS)
        ]
        soak = Soak(systems, proxies, console)
        supervisor = asyncio.create_task(soak.supervise())
        try:
            yield soak
        finally:
            supervisor.cancel()


@asynccontextmanager
async def proxied() -> AsyncIterator[Sequence[Proxy]]:
    """One in front of each server."""
    async with AsyncExitStack() as stack:
        proxies = [Proxy(f"the way to {name}", port, server) for name, port, server in _ways()]
        for proxy in proxies:
            await stack.enter_async_context(proxy.running())
        yield proxies


def _ways() -> Iterator[tuple[str, int, int]]:
    """Name, the proxy's port, the server's port."""
    for database in DATABASES:
        yield database.program, HERE.port(database) + PROXY_STEP, HERE.port(database)
    yield KAFKA, HERE.kafka_proxy_port, HERE.kafka_proxy_port + 1
    for replica in range(REPLICAS):
        port = HERE.port(ORDER, replica)
        yield f"{ORDER.name}-{replica + 1}", port + PROXY_STEP, port


def through_proxies(replica: int) -> Callable[[Service], Mapping[str, str]]:
    """The settings with which each service of this replica takes the ways that lead through proxies."""

    def own(service: Service) -> Mapping[str, str]:
        there = {
            "PGPORT": str(HERE.port(service.database) + PROXY_STEP),
            "KAFKA_BROKER": f"{HOST}:{HERE.kafka_proxy_port}",
        }
        orders = f"http://{HOST}:{HERE.port(ORDER, replica) + PROXY_STEP}"
        return there | ({"ORDER_SERVICE_URL": orders} if service is ORCHESTRATOR else {})

    return own
