"""The inbox: of two processes that get the same message, one keeps it."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from chassis import inbox
from chassis.database import Pool
from chassis.settings import Settings
from chassis.writes import save
from tests.integration.counters import add, total
from tests.integration.test_batcher import batching


async def test_an_id_is_entered_once_and_takes_the_rest_of_its_batch_with_it(pool: Pool) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    await save(pool, [inbox.enter({first, second})])
    with pytest.raises(asyncpg.UniqueViolationError):
        await save(pool, [inbox.enter({second, third})])
    assert {row["message_id"] for row in await pool.fetch("select message_id from inbox")} == {first, second}


async def test_a_message_that_two_processes_get_at_once_is_handled_by_one(pool: Pool, settings: Settings) -> None:
    messages = [add(5) for _ in range(50)]
    async with batching(pool, settings) as one, batching(pool, settings) as other:
        handled = await asyncio.gather(*(batcher.put(message) for message in messages for batcher in (one, other)))
    assert [await total(pool, message.key) for message in messages] == [5] * len(messages)
    assert [h.outgoing for h in handled[::2]] == [h.outgoing for h in handled[1::2]]
