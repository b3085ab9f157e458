"""Prunes what is old: published outbox rows and inbox rows, in small batches, on every replica."""

import asyncio

from chassis.database import Pool
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.settings import Settings
from chassis.trouble import Trouble

PRUNE_OUTBOX = """
with old as materialized (
    select message_id from outbox where published_at < now() - make_interval(secs => $1) limit $2 for update skip locked
)
delete from outbox using old where outbox.message_id = old.message_id"""

PRUNE_INBOX = """
with old as materialized (
    select message_id from inbox where handled_at < now() - make_interval(secs => $1) limit $2 for update skip locked
)
delete from inbox using old where inbox.message_id = old.message_id"""


class Housekeeping:
    """A loop that deletes at most `housekeeping_rows` at a time."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._trouble = Trouble(pool, settings, "housekeeping")

    async def run(self) -> None:
        """Prune once a tick, for ever."""
        while True:
            await asyncio.sleep(self._settings.housekeeping_every_seconds)
            try:
                await self._prune(PRUNE_OUTBOX, self._settings.outbox_keep_hours)
                await self._prune(PRUNE_INBOX, self._settings.inbox_keep_hours)
            except INFRASTRUCTURE_ERRORS as error:
                await self._trouble.met(error)
            else:
                self._trouble.over()

    async def _prune(self, sql: str, keep_hours: float) -> None:
        rows = self._settings.housekeeping_rows
        full = f"DELETE {rows}"
        done = full
        while done == full:
            done = await self._pool.execute(sql, keep_hours * 3600, rows)
