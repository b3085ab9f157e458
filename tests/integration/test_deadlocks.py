"""Two processes that write the same in a different order wait for each other instead of deadlocking."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from chassis import database, inbox, outbox
from chassis.database import Pool
from chassis.inbox import Entry
from chassis.messages import Message
from chassis.settings import Settings
from chassis.unit_of_work import UnitOfWork
from chassis.writes import save
from tests.integration.counters import MIGRATIONS, Added, Counter, Counters, add
from tests.support.eventually import eventually

KEYS = sorted(uuid4() for _ in range(9))
IN_THE_MIDDLE = KEYS[4]
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """In which nobody gives up waiting before a deadlock would be found."""
    settings.lock_timeout_ms = settings.statement_timeout_ms = 60_000
    async with database.connect(settings, MIGRATIONS) as pool:
        yield pool


@asynccontextmanager
async def held(pool: Pool, sql: str) -> AsyncIterator[None]:
    """Something that others want, until the body ends; then it is as it was."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(sql, IN_THE_MIDDLE)
            yield
        finally:
            await transaction.rollback()


async def outcomes(pool: Pool, hold: str, *two: Coroutine[Any, Any, Any]) -> set[type]:
    """What becomes of two that both wait for a third, which holds something `IN_THE_MIDDLE`."""

    async def both_wait() -> None:
        assert await pool.fetchval(WAITING) == 2

    async with held(pool, hold):
        both = asyncio.gather(*two, return_exceptions=True)
        await eventually(both_wait)
    return {type(outcome) for outcome in await both}


async def test_of_two_that_enter_the_same_ids_one_is_told_that_they_are_there(pool: Pool) -> None:
    forward, backward = (save(pool, [inbox.enter(map(Entry, ids))]) for ids in (KEYS, reversed(KEYS)))
    hold = "insert into inbox (message_id) values ($1)"
    assert await outcomes(pool, hold, forward, backward) == {datetime, asyncpg.UniqueViolationError}


async def test_of_two_that_change_the_same_rows_one_is_told_that_it_came_too_late(
    pool: Pool, settings: Settings
) -> None:
    await save(pool, Counters().save([Counter(key) for key in KEYS]))
    forward, backward = (
        UnitOfWork(pool, Counters(), settings, [Added], ignore, ignore).handle([add(1, k) for k in keys], reload=True)
        for keys in (KEYS, KEYS[::-1])
    )
    hold = "select from counters where counter_id = $1 for update"
    assert await outcomes(pool, hold, forward, backward) == {list, asyncpg.SerializationError}


def ignore(_: object) -> None:
    return


async def test_two_that_send_the_same_again_both_do(pool: Pool) -> None:
    messages = [Message(Added(saga_id=key, total=1), key) for key in KEYS]
    await save(pool, [outbox.write(messages, lease_seconds=-1)])
    forward, backward = (save(pool, [outbox.write(each, lease_seconds=-1)]) for each in (messages, messages[::-1]))
    hold = "select from outbox where message_id = $1 for update"
    assert await outcomes(pool, hold, forward, backward) == {datetime}
