"""The pool, when the database does not keep up."""

from contextlib import AsyncExitStack

import pytest

from chassis import database
from chassis.database import Pool


async def test_whoever_looks_while_every_connection_is_taken_is_told_so_in_time(pool: Pool) -> None:
    async with AsyncExitStack() as taken:
        for _ in range(pool.get_max_size()):
            await taken.enter_async_context(pool.acquire())
        with pytest.raises(TimeoutError):
            await database.read(pool, "select 1")
    assert [tuple(row) for row in await database.read(pool, "select 1")] == [(1,)]
