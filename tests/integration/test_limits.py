"""The batcher's limits: how much it takes at once, how often it tries, and for how long nobody can be served."""

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.errors import Unavailable
from chassis.loops import Backoff, background
from chassis.settings import Settings
from tests.integration.counters import Added, Counters, add, total
from tests.integration.deciders import FailsToSave, batching
from tests.support.eventually import eventually

LONG_SECONDS = 3600


async def test_a_batch_holds_no_more_than_the_setting_says_and_leaves_nobody_waiting(
    pool: Pool, settings: Settings
) -> None:
    settings.batch_max_messages = 10
    batcher = Batcher(pool, Counters(), settings, sends=[Added])
    waiting = [batcher.put(add()) for _ in range(25)]
    async with asyncio.timeout(30), background(batcher=batcher.run):
        await asyncio.gather(*waiting)
    batches = await pool.fetch("select count(*) from counters group by xmin::text")
    assert sorted(batch["count"] for batch in batches) == [5, 10, 10]


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (asyncpg.UniqueViolationError, "conflict_tries"),
        (asyncpg.SerializationError, "race_tries"),
        (asyncpg.DeadlockDetectedError, "race_tries"),
    ],
)
async def test_a_race_may_be_lost_as_often_as_the_setting_says(
    pool: Pool, settings: Settings, error: type[Exception], setting: str
) -> None:
    """The first loss does not count: what was remembered may have been the reason."""
    setattr(settings, setting, 3)
    won, lost = add(5), add(5)
    async with batching(pool, settings, FailsToSave(error("too late"), times=3)) as batcher:
        await batcher.submit(won)
    async with batching(pool, settings, FailsToSave(error("too late"), times=4)) as batcher:
        with pytest.raises(error):
            await batcher.submit(lost)
    assert [await total(pool, message.key) for message in (won, lost)] == [5, None]


async def test_while_the_database_is_away_tries_pause_and_who_can_come_back_is_told_at_once(
    pool: Pool, settings: Settings
) -> None:
    decider = FailsToSave(OSError("away"), times=1_000)
    async with batching(pool, settings, decider) as batcher:
        batcher._backoff = Backoff(first_seconds=LONG_SECONDS, longest_seconds=LONG_SECONDS)
        with capture_logs() as log:
            batcher.put(add())

            async def pauses() -> None:
                assert [line["reason"] for line in log] == ["OSError: away"]

            await eventually(pauses)
            with pytest.raises(Unavailable, match="the database is away"):
                await batcher.submit(add())
            await pauses()
