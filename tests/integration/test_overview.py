"""What the dashboard's first page asks: every saga is on one page, and the cost does not grow with what is stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import pytest

from chassis.database import Pool
from saga_orchestrator import overview, queries
from saga_orchestrator.overview import LOOKED_THROUGH, PAGE, Show

STORED = 20_000
OLDEST = UUID(int=1)
STORE = """
insert into sagas (saga_id, order_id, status, step, created_at, position, direction, attempt, start, seq)
select id, id, 'COMPLETED', 'ORDER_CONFIRMED', timestamptz '2025-01-01' + n / 7 * interval '1 second', 3, 'FORWARD', 0,
       jsonb_build_object('sagaId', id, 'orderId', id, 'userId', 'alice', 'totalAmount', 19.99), 9
from (select n, lpad(to_hex(n), 32, '0')::uuid as id from generate_series(1, $1::int) as n) as numbers"""
"""Seven at each moment."""
FLAG = """
update sagas set status = 'RUNNING', awaiting = saga_id, deadline = now(), needs_attention = 'no reply'
where saga_id = $1"""


@pytest.fixture
async def crowded(sagas: Pool) -> Pool:
    """Very many that have ended well."""
    await sagas.execute(STORE, STORED)
    await sagas.execute("analyze sagas")
    return sagas


async def all_of(pool: Pool, show: Show) -> list[UUID]:
    """From page to page, to the last."""
    found: list[UUID] = []
    place = overview.NEWEST
    while True:
        page, older = await overview.find_page(pool, show, place)
        found += [saga.saga_id for saga in page]
        if older is None:
            return found
        (saga,) = await queries.find_sagas(pool, [older])
        place = saga.created_at, saga.saga_id


@asynccontextmanager
async def rows_read(pool: Pool, most: int) -> AsyncIterator[Pool]:
    """No more rows of `sagas` than that are read in this block."""
    async with pool.acquire() as connection, connection.transaction():
        yield cast(Pool, connection)
        read = await connection.fetchval(
            "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'sagas'"
        )
    assert read <= most


@pytest.mark.parametrize("stored", [0, 1, PAGE, PAGE + 1, LOOKED_THROUGH, LOOKED_THROUGH + 1])
async def test_every_saga_is_on_one_page_from_the_newest_to_the_oldest(sagas: Pool, stored: int) -> None:
    await sagas.execute(STORE, stored)
    newest_first = [UUID(int=number) for number in range(stored, 0, -1)]
    assert await all_of(sagas, Show.ALL) == newest_first
    assert await all_of(sagas, Show.COMPLETED) == newest_first
    assert await all_of(sagas, Show.FAILED) == []


async def test_the_only_failed_one_is_found_behind_very_many_others(crowded: Pool) -> None:
    await crowded.execute("update sagas set status = 'FAILED' where saga_id = $1", OLDEST)
    assert await all_of(crowded, Show.FAILED) == [OLDEST]


@pytest.mark.parametrize("show", [Show.RUNNING, Show.ATTENTION])
async def test_one_that_needs_somebody_is_on_the_first_page_however_old(crowded: Pool, show: Show) -> None:
    await crowded.execute(FLAG, OLDEST)
    page, older = await overview.find_page(crowded, show)
    assert ([saga.saga_id for saga in page], older) == ([OLDEST], None)


@pytest.mark.parametrize(
    ("show", "most"),
    [
        (Show.ALL, 2 * PAGE),
        (Show.COMPLETED, 2 * PAGE),
        (Show.FAILED, LOOKED_THROUGH + PAGE),  # there is none
        (Show.RUNNING, PAGE),
        (Show.ATTENTION, PAGE),
    ],
)
async def test_a_page_reads_no_more_however_many_are_stored(crowded: Pool, show: Show, most: int) -> None:
    await crowded.execute(FLAG, OLDEST)
    async with rows_read(crowded, most) as pool:
        await overview.find_page(pool, show)


async def test_counting_reads_no_more_however_many_are_stored(crowded: Pool) -> None:
    await crowded.execute(FLAG, OLDEST)
    async with rows_read(crowded, most=LOOKED_THROUGH + PAGE) as pool:
        assert await overview.count_sagas(pool) == {
            Show.RUNNING: 1,
            Show.ATTENTION: 1,
            Show.COMPLETED: LOOKED_THROUGH,
            Show.FAILED: 0,
        }


async def test_where_very_many_run_they_are_counted_up_to_a_bound(crowded: Pool) -> None:
    await crowded.execute("update sagas set status = 'RUNNING', awaiting = saga_id, deadline = now()")
    assert (await overview.count_sagas(crowded))[Show.RUNNING] == LOOKED_THROUGH
