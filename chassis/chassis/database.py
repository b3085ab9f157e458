"""A pool with timeouts on everything, on a server that takes writes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from chassis import login, migrations
from chassis.errors import Unreadable
from chassis.faults import INFRASTRUCTURE_ERRORS, Fault, fault_of, reason_of
from chassis.login import login_of
from chassis.loops import Backoff, Reminder
from chassis.settings import Settings

log = structlog.get_logger()

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

Row = TypeVar("Row")

READ_SECONDS = 2
"""For a look at the database, a free connection included: whoever asks can ask again."""

WRITES = "select not pg_is_in_recovery() and not current_setting('transaction_read_only')::bool"


async def read(pool: Pool, sql: str, *args: object) -> list[asyncpg.Record]:
    """The rows of a query that somebody waits for; `TimeoutError` if they cannot be had in time."""
    async with asyncio.timeout(READ_SECONDS):
        return await pool.fetch(sql, *args)


def understood(read: Callable[[Mapping[str, Any]], Row], record: Mapping[str, Any]) -> Row:
    """The row that a record is; `Unreadable` if it is damaged, or another version's."""
    try:
        return read(record)
    except (ValueError, TypeError, LookupError) as error:
        key = next(iter(record.values()))
        raise Unreadable(f"the row {key} cannot be read: {' '.join(str(error).split())}") from error


async def require_writes(pool: Pool) -> None:
    """`ReadOnlySQLTransactionError` if the server that our connections lead to takes no writes any more."""
    (answer,) = await read(pool, WRITES)
    if not answer[0]:
        await pool.expire_connections()
        raise asyncpg.ReadOnlySQLTransactionError("the server is read-only: it was demoted, or is a standby")


@asynccontextmanager
async def connect(settings: Settings, migration_folder: Traversable) -> AsyncIterator[Pool]:
    """Wait for the database, migrate it, and lend a pool until the body ends."""
    await _migrate_when_there(settings, (files("chassis") / "migrations", migration_folder))
    async with asyncpg.create_pool(
        **login_of(settings),
        connect=login.connect,
        min_size=0,  # else asyncpg restores the last connection by itself, with a traceback for each time it cannot
        init_size=1,
        max_size=settings.pool_size,
        reset=_keep_session,
        timeout=settings.pool_acquire_seconds,
        command_timeout=settings.statement_timeout_ms / 1000 + 1,  # the server gives up first, unless it is silent
        server_settings={
            "application_name": settings.service,
            "statement_timeout": str(settings.statement_timeout_ms),
            "lock_timeout": str(settings.lock_timeout_ms),
            # Batches of every size share one plan; planning each anew costs a tenth of the throughput.
            "plan_cache_mode": "force_generic_plan",
            # Every statement goes by key. A plan made while a table was empty must not scan it when it is full.
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            # What has no other plan then looks so dear to the planner that it would be compiled, for 0.2 s each time.
            "jit": "off",
        },
    ) as pool:
        yield pool


async def _keep_session(_: object) -> None:
    """No reset query between uses: nothing here changes a session's settings."""


async def _migrate_when_there(settings: Settings, folders: tuple[Traversable, ...]) -> None:
    backoff, reminder = Backoff(), Reminder()
    give_up = monotonic() + settings.startup_wait_seconds
    while True:
        try:
            return await _migrate(settings, folders, give_up - monotonic())
        except INFRASTRUCTURE_ERRORS as error:
            if monotonic() > give_up or fault_of(error) is not Fault.EVERYBODYS:
                raise
            if reminder.is_due(reason_of(error)):
                log.warning("waiting for the database", reason=reason_of(error))
            await backoff.pause()


async def _migrate(settings: Settings, folders: tuple[Traversable, ...], most_seconds: float) -> None:
    server_settings = {"application_name": f"{settings.service} migrates"}
    connection = await login.connect(
        **login_of(settings), timeout=settings.pool_acquire_seconds, server_settings=server_settings
    )
    try:
        await migrations.apply(connection, folders, most_seconds)
    finally:
        await connection.close(timeout=settings.pool_acquire_seconds)
