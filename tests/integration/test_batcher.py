"""The batcher: many messages, one transaction; each submitter gets its own outcome, once."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from chassis import database, inbox
from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.errors import Overloaded, Unavailable
from chassis.inbox import Entry
from chassis.loops import background
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.writes import save
from tests.integration.counters import MIGRATIONS, Added, Counter, Counters, ThirteenRefused, add, total
from tests.integration.deciders import TAKEN, ConnectionDiesOnce, SavesSlowly, WritesWhatNeverWorks, batching
from tests.integration.transports import AcknowledgesAtOnce
from tests.support.eventually import eventually


async def test_what_waits_becomes_one_transaction(pool: Pool, settings: Settings) -> None:
    batcher = Batcher(pool, Counters(), settings, sends=[Added])
    waiting = [batcher.put(add()) for _ in range(50)]
    async with background(batcher=batcher.run):
        await asyncio.gather(*waiting)
    tables = await pool.fetch("select xmin::text from inbox union select xmin::text from outbox")
    assert len(tables) == 1
    assert await pool.fetchval("select count(distinct xmin::text) from counters") == 1


async def test_messages_for_the_same_row_are_decided_one_after_the_other(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    batcher = Batcher(pool, Counters(), settings, sends=[Added])
    waiting = [batcher.put(add(number, counter_id)) for number in (1, 10, 100)]
    async with background(batcher=batcher.run):
        handled = await asyncio.gather(*waiting)
    assert [answers.outgoing[0].body.total for answers in handled] == [1, 11, 111]  # type: ignore[attr-defined]
    assert await total(pool, counter_id) == 111


async def test_a_bad_message_fails_alone(pool: Pool, settings: Settings) -> None:
    messages = [add(1), add(13), add(2), add(13), add(3)]
    batcher = Batcher(pool, Counters(), settings, sends=[Added])
    waiting = [batcher.put(message) for message in messages]
    async with background(batcher=batcher.run):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(outcome, ThirteenRefused) for outcome in outcomes] == [False, True, False, True, False]
    assert [await total(pool, message.key) for message in messages] == [1, None, 2, None, 3]
    assert await pool.fetchval("select count(*) from inbox") == 3


@pytest.mark.parametrize(
    ("bad", "fault"),
    [(7, asyncpg.SerializationError), (8, asyncpg.UniqueViolationError), (2**40, asyncpg.DataError)],
    ids=["a race that nobody wins", "a unique value that is taken", "a number that fits no column"],
)
async def test_what_will_never_work_fails_alone_and_stops_nobody(
    pool: Pool, settings: Settings, bad: int, fault: type[Exception]
) -> None:
    settings.race_tries = 10
    await save(pool, [inbox.enter([Entry(TAKEN)])])
    messages = [add(1), add(bad), add(2)]
    batcher = Batcher(pool, WritesWhatNeverWorks(), settings, sends=[Added])
    waiting = [batcher.put(message) for message in messages]
    async with asyncio.timeout(30), background(batcher=batcher.run):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        await batcher.submit(add(3))
    assert [isinstance(outcome, fault) for outcome in outcomes] == [False, True, False]
    assert [await total(pool, message.key) for message in messages] == [1, None, 2]


async def test_a_message_that_was_cancelled_while_it_waited_is_not_handled(pool: Pool, settings: Settings) -> None:
    given_up, wanted = add(1), add(2)
    batcher = Batcher(pool, Counters(), settings, sends=[Added])
    waiting = [batcher.put(given_up), batcher.put(wanted)]
    waiting[0].cancel()
    async with background(batcher=batcher.run):
        await waiting[1]
    assert [await total(pool, message.key) for message in (given_up, wanted)] == [None, 2]


async def test_a_patient_message_outlives_a_lost_connection_and_is_done_once(pool: Pool, settings: Settings) -> None:
    message = add(5)
    async with batching(pool, settings, ConnectionDiesOnce()) as batcher:
        handled = await batcher.put(message)
    assert handled.row == Counter(message.key, total=5)
    assert await total(pool, message.key) == 5


async def test_a_batch_that_takes_too_long_is_done_in_parts(settings: Settings) -> None:
    settings.statement_timeout_ms = 1_000
    messages = [add(number) for number in range(1, 6)]
    async with database.connect(settings, MIGRATIONS) as pool:
        batcher = Batcher(pool, SavesSlowly(), settings, sends=[Added])
        waiting = [batcher.put(message) for message in messages]
        async with asyncio.timeout(30), background(batcher=batcher.run):
            await asyncio.gather(*waiting)
        assert [await total(pool, message.key) for message in messages] == [1, 2, 3, 4, 5]


async def test_an_impatient_message_is_told_that_the_database_is_away(pool: Pool, settings: Settings) -> None:
    message = add(5)
    async with batching(pool, settings, ConnectionDiesOnce()) as batcher:
        with pytest.raises(Unavailable):
            await batcher.submit(message)
        assert await total(pool, message.key) is None
        await batcher.put(message)
        await batcher.submit(add(1, message.key))
    assert await total(pool, message.key) == 6


async def test_an_impatient_message_does_not_wait_for_ever(settings: Settings) -> None:
    settings.submit_max_seconds = 0.3
    patient = add(1)
    async with database.connect(settings, MIGRATIONS) as pool, batching(pool, settings, SavesSlowly()) as batcher:
        first = batcher.put(patient)
        with pytest.raises(Unavailable):
            await batcher.submit(add(2))
        await first
        settings.submit_max_seconds = 10
        await batcher.submit(add(3))
        assert await total(pool, patient.key) == 1


async def test_a_full_queue_refuses_what_can_come_again_and_keeps_the_rest(pool: Pool, settings: Settings) -> None:
    settings.queue_max_messages = 2
    batcher = Batcher(pool, Counters(), settings)
    kept = [batcher.put(add()), batcher.put(add())]
    with pytest.raises(Overloaded):
        await batcher.submit(add())
    kept.append(batcher.put(add()))
    async with background(batcher=batcher.run):
        assert len(await asyncio.gather(*kept)) == 3


async def test_one_connection_is_enough_for_everything(settings: Settings) -> None:
    settings.pool_size = 1
    async with database.connect(settings, MIGRATIONS) as pool:
        relay = Relay(pool, settings, [Added], kafka=AcknowledgesAtOnce())
        batcher = Batcher(pool, Counters(), settings, [Added], relay.publish)
        async with relay.running(), background(batcher=batcher.run):
            await asyncio.gather(*(batcher.submit(add()) for _ in range(200)))
        assert await pool.fetchval("select count(*) from outbox where published_at is not null") == 200


async def test_while_somebody_holds_a_whole_table_locked_everybody_waits(pool: Pool, settings: Settings) -> None:
    async with batching(pool, settings) as batcher:
        await batcher.submit(add(1))
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("lock table counters in access exclusive mode")
            with capture_logs() as log:
                handled = asyncio.gather(*(batcher.put(add(2)) for _ in range(5)))
                await eventually(lambda: assert_repeated(log))
        assert [each.row.total for each in await handled if each.row] == [2] * 5


async def assert_repeated(log: list[EventDict]) -> None:
    assert any(line["event"] == "the database cannot be used, this waits" for line in log)


async def test_a_row_that_somebody_holds_locked_fails_its_own_message_only(pool: Pool, settings: Settings) -> None:
    locked, free = add(1), [add(2) for _ in range(5)]
    async with batching(pool, settings) as batcher:
        await batcher.submit(add(1, locked.key))
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select from counters where counter_id = $1 for update", locked.key)
            outcomes = await asyncio.gather(*(batcher.put(each) for each in (locked, *free)), return_exceptions=True)
        assert isinstance(outcomes[0], asyncpg.LockNotAvailableError)
        assert [await total(pool, each.key) for each in free] == [2] * len(free)
        await batcher.submit(locked)
    assert await total(pool, locked.key) == 2
