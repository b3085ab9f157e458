"""The sweeper of sagas: a deadline that has passed becomes a message like any other. Runs on every replica.

After an outage very many are overdue. They are woken only as fast as those woken before come to their end, so that
newcomers do not queue behind all of them, and no deadline passes a second time just because of the crowd.
"""

import asyncio
from collections import deque
from time import monotonic
from uuid import UUID

import structlog

from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.messages import Message
from chassis.trouble import Trouble
from saga_orchestrator import queries
from saga_orchestrator.definition import LONGEST_WAIT_SECONDS
from saga_orchestrator.handlers import Checkout
from saga_orchestrator.instance import TimedOut
from saga_orchestrator.settings import Settings

log = structlog.get_logger()

FURTHEST = 10
"""A deadline further away than so many times the longest was set before the database's clock was set back."""


class Deadlines:
    """Turns passed deadlines into `TimedOut`."""

    def __init__(self, batcher: Batcher[Checkout], pool: Pool, settings: Settings) -> None:
        self._batcher = batcher
        self._pool = pool
        self._settings = settings
        self._trouble = Trouble(pool, settings, "deadlines")
        self._overdue: deque[TimedOut] = deque()
        self._woken: dict[UUID, float] = {}
        """When each saga was woken that has not been seen to end since."""
        self._refused: dict[UUID, float] = {}
        """When each saga could not be woken; the next try is not at once, for a locked row holds others up as well."""

    async def run(self) -> None:
        """Look once a tick, for ever; more often while some wait to be woken."""
        while True:
            settings = self._settings
            crowded = bool(self._overdue)
            await asyncio.sleep(settings.deadline_busy_check_seconds if crowded else settings.deadline_check_seconds)
            try:
                if not crowded:
                    self._overdue += await self._find()
                if self._overdue:
                    await self._wake(settings.deadline_woken_max_sagas - await self._count_running())
            except INFRASTRUCTURE_ERRORS as error:
                await self._trouble.met(error)
            else:
                self._trouble.over()

    async def _find(self) -> list[TimedOut]:
        furthest = FURTHEST * LONGEST_WAIT_SECONDS * self._settings.step_timeout_scale
        since = monotonic() - self._settings.deadline_refused_seconds
        self._refused = {saga_id: refused_at for saga_id, refused_at in self._refused.items() if refused_at > since}
        overdue = await queries.find_overdue(self._pool, self._settings.deadline_check_rows, furthest)
        return [timed_out for timed_out in overdue if timed_out.saga_id not in self._refused]

    async def _wake(self, room: int) -> None:
        """The first of them; a reply that has come meanwhile makes its `TimedOut` mean nothing."""
        woken = [self._overdue.popleft() for _ in range(min(room, len(self._overdue)))]
        outcomes = await asyncio.gather(
            *(self._batcher.put(Message.new(timed_out)) for timed_out in woken), return_exceptions=True
        )
        for timed_out, outcome in zip(woken, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                log.error("a saga cannot be woken", saga_id=str(timed_out.saga_id), error=repr(outcome))
                self._refused[timed_out.saga_id] = monotonic()
            elif outcome.outgoing:  # else another replica has woken it, or a reply has come
                self._woken[timed_out.saga_id] = monotonic()

    async def _count_running(self) -> int:
        """How many were woken lately and have not ended. Not for ever: a participant may be away, others are not."""
        since = monotonic() - self._settings.deadline_woken_seconds
        lately = [saga_id for saga_id, woken_at in self._woken.items() if woken_at > since]
        running = await queries.find_running(self._pool, lately) if lately else []
        self._woken = {saga_id: self._woken[saga_id] for saga_id in running}
        return len(running)
