"""What keeps a loop from its work on the database: said once, loudly, instead of at every try."""

from time import monotonic

import structlog

from chassis.database import Pool
from chassis.faults import is_elsewhere, reason_of
from chassis.loops import NowAndThen
from chassis.settings import Settings

log = structlog.get_logger()

FADES_SECONDS = 10
"""After so long without a try nobody knows whether it is still so."""


class Trouble:
    """Why one kind of work waits: in the log when that begins or changes, now and then, and when it is over."""

    def __init__(self, pool: Pool, settings: Settings, work: str) -> None:
        self._pool = pool
        self._every_seconds = settings.trouble_said_seconds
        self._loud = NowAndThen(self._every_seconds)
        self._work = work
        self._reason: str | None = None
        self._began = self._met = 0.0

    @property
    def reason(self) -> str | None:
        """Why its work cannot be done, if it was tried lately."""
        return self._reason if monotonic() - self._met < FADES_SECONDS else None

    async def met(self, error: BaseException) -> None:
        """It could not be done; the next try is on new connections if the old ones may lead to the wrong server."""
        now, reason = monotonic(), reason_of(error)
        if self._reason is None:
            self._began, self._loud = now, NowAndThen(self._every_seconds)
        if self._loud.due(reason):
            log.error("the database cannot be used, this waits", work=self._work, reason=reason, **self._lasted(now))
        self._reason, self._met = reason, now
        if is_elsewhere(error):
            await self._pool.expire_connections()

    def over(self) -> None:
        """It could be done."""
        if self._reason is not None:
            now = monotonic()
            log.warning("the database can be used again", work=self._work, reason=self._reason, **self._lasted(now))
            self._reason = None

    def _lasted(self, now: float) -> dict[str, int]:
        return {"seconds": round(now - self._began)}
