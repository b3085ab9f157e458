"""The sweeper of sagas: a deadline that has passed becomes a message like any other. Runs on every replica."""

import asyncio

import structlog

from chassis.batcher import Batcher
from chassis.database import INFRASTRUCTURE_ERRORS, Pool
from chassis.messages import Message
from saga_orchestrator import queries
from saga_orchestrator.handlers import Checkout
from saga_orchestrator.settings import Settings

log = structlog.get_logger()


class Deadlines:
    """Turns passed deadlines into `TimedOut`."""

    def __init__(self, batcher: Batcher[Checkout], pool: Pool, settings: Settings) -> None:
        self._batcher = batcher
        self._pool = pool
        self._settings = settings

    async def run(self) -> None:
        """Look once a tick, for ever."""
        while True:
            await asyncio.sleep(self._settings.deadline_check_seconds)
            try:
                overdue = await queries.find_overdue(self._pool, self._settings.deadline_check_rows)
            except INFRASTRUCTURE_ERRORS as error:
                log.warning("cannot look for passed deadlines now", error=repr(error))
                continue
            await asyncio.gather(*(self._batcher.put(Message.new(timed_out)) for timed_out in overdue))
