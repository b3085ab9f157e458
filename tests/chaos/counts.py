"""How often things happened: what must be above zero, or a run has proved nothing."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import httpx

from tests.chaos.processes import Process

LOOK_EVERY_SECONDS = 1
ASSIGNED = re.compile(rb"partitions assigned")
DIED = re.compile(rb".*a background loop died.*")

FROM_LOGS = """
select
    count(*) filter (where kind = 'SENT') - count(distinct (saga_id, message_id)) filter (where kind = 'SENT')
        as "retries of commands",
    count(*) filter (where kind = 'LATE' and type <> 'TimedOut') as "late replies"
from saga_events where at >= $1"""


class Lives:
    """What these processes have done since now, over all their lives."""

    def __init__(self, processes: Collection[Process]) -> None:
        self._processes = processes
        self._logs = {process.name: process.log.stat().st_size for process in processes}
        self._starts = {process.name: process.starts for process in processes}
        self._duplicates: dict[tuple[str, int], float] = {}

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look often, since a process that is killed takes what it has counted along."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
        await self._look()

    async def _watch(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _look(self) -> None:
        await asyncio.gather(*(self._look_at(process) for process in self._processes))

    async def _look_at(self, process: Process) -> None:
        life = (process.name, process.starts)
        try:
            self._duplicates[life] = await process.metric("duplicate_messages_total")
        except httpx.TransportError:
            return  # dead or frozen: what it said last counts

    @property
    def duplicates(self) -> int:
        """Messages that had been handled before."""
        return int(sum(self._duplicates.values()))

    @property
    def rebalances(self) -> int:
        """How often one was given partitions anew while it lived on."""
        return sum(map(self._rebalances_of, self._processes))

    @property
    def bugs(self) -> list[bytes]:
        """What ended a process from within; only a consumer that stands still may."""
        died = [line for process in self._processes for line in DIED.findall(self._said(process))]
        return [line for line in died if b"ConsumerStuck" not in line]

    def _rebalances_of(self, process: Process) -> int:
        assigned = len(ASSIGNED.findall(self._said(process)))
        return max(0, assigned - (process.starts - self._starts[process.name]))

    def _said(self, process: Process) -> bytes:
        with process.log.open("rb") as log:
            log.seek(self._logs[process.name])
            return log.read()


async def from_logs(orchestrator_db: "asyncpg.Pool[asyncpg.Record]", since: datetime) -> dict[str, int]:
    """Commands that were sent again, and replies that came too late, as the sagas' logs tell."""
    row = await orchestrator_db.fetchrow(FROM_LOGS, since)
    assert row is not None
    return dict(row)
