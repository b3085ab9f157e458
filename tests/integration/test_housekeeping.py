"""Housekeeping: what is old goes, a few rows at a time; what is young, or not sent yet, stays."""

import asyncio

from chassis.database import Pool
from chassis.housekeeping import Housekeeping
from chassis.loops import background
from chassis.settings import Settings
from tests.support.eventually import eventually

PUBLISHED = """
insert into outbox (message_id, destination, type, key, body, publish_after, created_at, published_at)
select gen_random_uuid(), 'there', 'Added', gen_random_uuid(), '{}', now(), now() - interval '1 year',
    now() - make_interval(hours => $2)
from generate_series(1, $1)"""
HANDLED = "insert into inbox select gen_random_uuid(), now() - make_interval(hours => $2) from generate_series(1, $1)"

LEFT = """
select count(*) filter (where published_at is null) as unsent, count(published_at) as young,
    (select count(*) from inbox) as handled
from outbox"""


async def test_one_tick_prunes_all_that_is_old_and_neither_what_is_young_nor_what_is_unsent(
    pool: Pool, settings: Settings
) -> None:
    settings.housekeeping_every_seconds, settings.housekeeping_rows = 0.05, 2
    sent, handled = int(settings.outbox_keep_hours), int(settings.inbox_keep_hours)
    await pool.executemany(PUBLISHED, [(5, sent + 1), (3, sent - 1), (2, None)])
    await pool.executemany(HANDLED, [(5, handled + 1), (4, handled - 1)])

    async def pruned() -> None:
        left = await pool.fetchrow(LEFT)
        assert left is not None
        assert dict(left) == {"unsent": 2, "young": 3, "handled": 4}

    async with background(housekeeping=Housekeeping(pool, settings).run):
        await asyncio.sleep(0)  # one turn of the loop: it has read how long its first tick is, and there is no second
        settings.housekeeping_every_seconds = 3600
        await eventually(pruned)
