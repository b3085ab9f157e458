"""In-memory futures for callers who wait for a saga's end. A convenience, never the truth: that is in the database."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from chassis.database import Pool
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.trouble import Trouble
from saga_orchestrator import queries
from saga_orchestrator.instance import SagaInstance, Status
from saga_orchestrator.settings import Settings


class Waiters:
    """Futures by saga id."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._check_seconds = settings.waiter_check_seconds
        self._trouble = Trouble(pool, settings, "waiting callers")
        self._futures: defaultdict[UUID, set[asyncio.Future[SagaInstance]]] = defaultdict(set)

    @contextmanager
    def waiting(self, saga_id: UUID) -> Iterator["asyncio.Future[SagaInstance]"]:
        """A future for this saga's end, as long as the body runs."""
        future: asyncio.Future[SagaInstance] = asyncio.get_running_loop().create_future()
        self._futures[saga_id].add(future)
        try:
            yield future
        finally:
            self._futures[saga_id].discard(future)
            if not self._futures[saga_id]:
                del self._futures[saga_id]

    def resolve(self, sagas: Iterable[SagaInstance]) -> None:
        """Wake whoever waits for one of these that has ended."""
        for saga in sagas:
            if saga.status is not Status.RUNNING:
                for future in self._futures.get(saga.saga_id, ()):
                    if not future.done():
                        future.set_result(saga)

    async def run(self) -> None:
        """For waiters whose reply another replica applied: one query a tick answers all that are older than a tick."""
        older: set[UUID] = set()
        while True:
            await asyncio.sleep(self._check_seconds)
            if waiting := older & self._futures.keys():
                try:
                    self.resolve(await queries.find_ended(self._pool, list(waiting)))
                except INFRASTRUCTURE_ERRORS as error:
                    await self._trouble.met(error)
                else:
                    self._trouble.over()
            older = set(self._futures)
