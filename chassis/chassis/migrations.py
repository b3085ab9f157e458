"""Forward-only migrations: one transaction each, under an advisory lock, with a checksum.

Nobody is waited for in silence or for ever: not who holds that lock, and not who holds a table that is to be altered. A
statement that queues for a table holds up all who come after it, so it queues for a moment only, and then comes again.
"""

import hashlib
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from time import monotonic
from typing import Any

import asyncpg
import structlog

from chassis.errors import MigrationChanged, MigrationWaits
from chassis.login import Connection
from chassis.loops import Backoff, Reminder

log = structlog.get_logger()

ADVISORY_LOCK = 7_236_411
QUEUE_MS = 500
"""How long a migration waits for a table at a time; less than LOCK_TIMEOUT_MS, at which others would give up."""
LONGEST_PAUSE_SECONDS = 5.0
"""Between two tries for a table; in the pauses others get theirs."""
CREATE_TABLE = """
create table if not exists schema_migrations (
    name       text primary key,
    checksum   text not null,
    applied_at timestamptz not null default now()
)"""
HOLDER = """
select pid, application_name, state, query_start as since from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
    and classid = 0 and objid = $1 and objsubid = 1 and granted"""
OLDEST = """
select pid, application_name, state, xact_start as since from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null order by xact_start limit 1"""


async def apply(connection: Connection, folders: Iterable[Traversable], most_seconds: float = math.inf) -> None:
    """Apply what is missing, folder by folder and file by file.

    `MigrationChanged` if an applied file was edited; `MigrationWaits` if somebody was in the way for so many seconds.
    """
    give_up = monotonic() + most_seconds
    await _lock(connection, give_up)
    done = await _done(connection, give_up)
    for folder in folders:
        for file in sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name):
            await _apply_one(connection, file, done, give_up)
    await connection.execute("select pg_advisory_unlock($1)", ADVISORY_LOCK)  # as the connection's end does


async def _lock(connection: Connection, give_up: float) -> None:
    waiting = _Waiting("the migration lock", connection, (HOLDER, ADVISORY_LOCK), give_up, Backoff())
    while not await connection.fetchval("select pg_try_advisory_lock($1)", ADVISORY_LOCK):
        await waiting.pause()


async def _done(connection: Connection, give_up: float) -> dict[str, str]:
    """The checksums of what has been applied."""
    waiting = _Waiting("the table schema_migrations", connection, (OLDEST,), give_up, Backoff())
    while True:
        with suppress(asyncpg.LockNotAvailableError):
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = {QUEUE_MS}")
                await connection.execute(CREATE_TABLE)
                applied = await connection.fetch("select name, checksum from schema_migrations")
            return {row["name"]: row["checksum"] for row in applied}
        await waiting.pause()


async def _apply_one(connection: Connection, file: Traversable, done: dict[str, str], give_up: float) -> None:
    sql = file.read_text()
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if file.name in done:
        if done[file.name] != checksum:
            raise MigrationChanged(f"{file.name} was edited after it had been applied: write a new migration instead")
        return
    backoff = Backoff(first_seconds=1.0, longest_seconds=LONGEST_PAUSE_SECONDS)
    waiting = _Waiting(f"a table that {file.name} changes", connection, (OLDEST,), give_up, backoff)
    while not await _applied(connection, file.name, sql, checksum):
        await waiting.pause()
    log.info("migration applied", name=file.name)


async def _applied(connection: Connection, name: str, sql: str, checksum: str) -> bool:
    """False if somebody holds a table that it changes; then nothing has happened."""
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = {QUEUE_MS}")
            await connection.execute(sql)
            await connection.execute("insert into schema_migrations (name, checksum) values ($1, $2)", name, checksum)
    except asyncpg.LockNotAvailableError:
        return False
    return True


@dataclass
class _Waiting:
    """Says at growing intervals what it waits for and who is in the way, and gives up in the end."""

    what: str
    connection: Connection
    who: tuple[Any, ...]
    """The query for who is in the way, and its arguments."""
    give_up: float
    backoff: Backoff
    reminder: Reminder = field(default_factory=Reminder)

    async def pause(self) -> None:
        """Before the next try; `MigrationWaits` if there is to be none."""
        if monotonic() >= self.give_up:
            raise MigrationWaits(
                f"waited for {self.what}, held by {await self._holder()}: end that session, or let it end; "
                "STARTUP_WAIT_SECONDS says how long is waited"
            )
        if self.reminder.is_due():
            log.warning("a migration waits", waits_for=self.what, held_by=await self._holder())
        await self.backoff.pause()

    async def _holder(self) -> str:
        found = await self.connection.fetchrow(*self.who)
        if found is None:
            return "nobody any more"
        return f"pid {found['pid']} ({found['application_name'] or 'no name'}, {found['state']}) since {found['since']}"
