"""What the soak does to the system: each kind of fault, to a target, for some seconds."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TypeAlias

import asyncpg

from local.instance import DATABASES, ORDER, Database
from tests.chaos import infra
from tests.chaos.infra import KAFKA
from tests.chaos.poison import Place, pour
from tests.chaos.processes import HERE, Process
from tests.chaos.proxy import Proxy, Way

SESSION_SECONDS = 6
"""After which Kafka takes a silent consumer for dead: `kafka_session_timeout_ms` of the services."""
FREEZE_SECONDS = (1.5 * SESSION_SECONDS, 3 * SESSION_SECONDS)
CUT_SECONDS = (2, 10)
AWAY_SECONDS = (0, 5)
AT_ONCE = (0, 0)
POISON = 100
CONNECT_SECONDS = 10

TERMINATE = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name <> ''"
"""The services give their sessions a name, the tests do not."""

Act: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Kind:
    """A kind of fault with the targets it may have; it lasts between so many seconds.

    `spares` must work meanwhile: a session ends only where there is somebody to end it.
    """

    name: str
    acts: dict[str, Act]
    seconds: tuple[float, float]
    spares: str = ""

    def pick(self, dice: random.Random, *, short: bool) -> "Fault":
        """One of this kind; a short one lasts as briefly as it may, or a third of the longest."""
        target = dice.choice(sorted(self.acts))
        least, most = self.seconds
        seconds = max(least, most / 3) if short else dice.uniform(least, most)
        return Fault(self.name, target, seconds, self.acts[target], self.spares)


@dataclass(frozen=True)
class Fault:
    """One fault: on `target`, for so many seconds."""

    kind: str
    target: str
    seconds: float
    act: Act
    spares: str

    def __str__(self) -> str:
        return f"{self.target}: {self.kind}" + (f" for {self.seconds:.1f} s" if self.seconds else "")

    async def happen(self) -> None:
        """And pass."""
        async with self.act():
            await asyncio.sleep(self.seconds)  # how long it lasts is what is tested


def kinds(
    processes: Collection[Process], proxies: Collection[Proxy], dice: random.Random, poured: set[Place]
) -> list[Kind]:
    """All there are; `poured` gets the places of the poison."""
    servers = {database.program: database for database in DATABASES}
    return [
        Kind("killed", {p.name: partial(_dead, p) for p in processes}, AWAY_SECONDS),
        Kind("frozen", {p.name: p.frozen for p in processes if p.service is not ORDER}, FREEZE_SECONDS, spares=KAFKA),
        Kind("frozen, no consumer", {p.name: p.frozen for p in processes if p.service is ORDER}, CUT_SECONDS),
        Kind("killed, Postgres", {name: partial(infra.away, name) for name in servers}, AWAY_SECONDS),
        Kind("frozen, Postgres", {name: partial(_stopped, name) for name in servers}, FREEZE_SECONDS),
        Kind("killed, Kafka", {KAFKA: partial(infra.away, KAFKA)}, CUT_SECONDS),
        Kind("frozen, Kafka", {KAFKA: partial(_stopped, KAFKA)}, FREEZE_SECONDS),
        Kind("every session ended", {name: partial(_terminated, server) for name, server in servers.items()}, AT_ONCE),
        Kind("poison", {KAFKA: partial(_poisoned, dice, poured)}, AT_ONCE),
        *(_on_the_way(way, proxies) for way in Way if way is not Way.OPEN),
    ]


def _on_the_way(way: Way, proxies: Collection[Proxy]) -> Kind:
    return Kind(f"connections, {way}", {p.name: partial(p.failing, way) for p in proxies}, CUT_SECONDS)


@asynccontextmanager
async def _dead(process: Process) -> AsyncIterator[None]:
    await process.end()
    yield
    process.start()


@asynccontextmanager
async def _stopped(server: str) -> AsyncIterator[None]:
    await asyncio.to_thread(infra.send, server, signal.SIGSTOP)
    try:
        yield
    finally:
        await asyncio.to_thread(infra.send, server, signal.SIGCONT)


@asynccontextmanager
async def _terminated(database: Database) -> AsyncIterator[None]:
    connection = await asyncpg.connect(**HERE.login(database), timeout=CONNECT_SECONDS)
    await connection.execute(TERMINATE)
    await connection.close()
    yield


@asynccontextmanager
async def _poisoned(dice: random.Random, poured: set[Place]) -> AsyncIterator[None]:
    poured |= await pour(POISON, dice)
    yield


def plan(all_kinds: Collection[Kind], dice: random.Random, seconds: float | None) -> Iterator[Fault]:
    """Faults at random until so many seconds are over; or each kind once, briefly, in any order."""
    if seconds is None:
        for kind in dice.sample(list(all_kinds), len(all_kinds)):
            yield kind.pick(dice, short=True)
        return
    end = monotonic() + seconds
    while monotonic() < end:
        yield dice.choice(list(all_kinds)).pick(dice, short=False)
