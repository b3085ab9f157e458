"""The batcher: many messages, one transaction; each submitter gets its own outcome, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from chassis import database, inbox
from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.errors import Overloaded, Unavailable
from chassis.loops import background
from chassis.messages import Message
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.writes import Write, save
from tests.integration.counters import MIGRATIONS, Added, Counter, Counters, Noted, Superstition, add, total


@asynccontextmanager
async def batching(pool: Pool, settings: Settings, decider: Counters | None = None) -> AsyncIterator[Batcher[Counter]]:
    """A batcher that runs."""
    batcher = Batcher(pool, decider or Counters(), settings, sends=[Added])
    async with background(batcher=batcher.run):
        yield batcher


DIE = Write(
    """insert into inbox select gen_random_uuid()
       where pg_terminate_backend(pg_backend_pid()) and pg_sleep(1) is not null""",
    (),
)


class Mortal(Counters):
    """The server ends the connection in the middle of the first save."""

    alive = True

    def save(self, rows: list[Counter]) -> list[Write]:
        fatal, self.alive = self.alive, False
        return [*super().save(rows), *([DIE] if fatal else [])]


class Slow(Counters):
    """Each row takes its time."""

    def save(self, rows: list[Counter]) -> list[Write]:
        return [*super().save(rows), Write(SLEEP, (0.4 * len(rows),))]


SLEEP = "insert into inbox select gen_random_uuid() where pg_sleep($1) is null"


class Forgetful(Counters):
    """Remembers nothing of what it has written, as if another process had."""

    def remembered(self, _: Counter) -> None:
        return None


class Muddled(Counters):
    """Writes 7, 8 and a taken id in ways that no repetition mends."""

    def save(self, rows: list[Counter]) -> list[Write]:
        totals = {row.total for row in rows}
        (counters,) = super().save(rows)
        touched = replace(counters, rows=len(rows) + (7 in totals))
        return [touched, *([Write(inbox.INSERT, ([TAKEN],))] if 8 in totals else [])]


TAKEN = uuid4()


class Full(Counters):
    """A counter holds 10 at most."""

    def decide(self, row: Counter | None, message: Message, now: datetime) -> tuple[Counter, list[Message]]:
        counter, answers = super().decide(row, message, now)
        if counter.total > 10:
            raise OverflowError("11 is too much")
        return counter, answers


def loads() -> float:
    count = REGISTRY.get_sample_value("batch_loads_total")
    assert count is not None
    return count


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
    assert [isinstance(outcome, Superstition) for outcome in outcomes] == [False, True, False, True, False]
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
    await save(pool, [inbox.enter([TAKEN])])
    messages = [add(1), add(bad), add(2)]
    batcher = Batcher(pool, Muddled(), settings, sends=[Added])
    waiting = [batcher.put(message) for message in messages]
    async with asyncio.timeout(30), background(batcher=batcher.run):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        await batcher.submit(add(3))
    assert [isinstance(outcome, fault) for outcome in outcomes] == [False, True, False]
    assert [await total(pool, message.key) for message in messages] == [1, None, 2]


async def test_a_refusal_that_only_stale_memory_gives_is_not_believed(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings, Full()) as one, batching(pool, settings) as other:
        await one.submit(add(10, counter_id))
        await other.submit(Message.new(Noted(saga_id=counter_id, number=-9)))
        await one.submit(Message.new(Noted(saga_id=counter_id, number=4)))
        with pytest.raises(OverflowError):
            await one.submit(Message.new(Noted(saga_id=counter_id, number=6)))
    assert await total(pool, counter_id) == 5


async def test_a_message_that_was_cancelled_while_it_waited_is_not_handled(pool: Pool, settings: Settings) -> None:
    given_up, wanted = add(1), add(2)
    batcher = Batcher(pool, Counters(), settings, sends=[Added])
    waiting = [batcher.put(given_up), batcher.put(wanted)]
    waiting[0].cancel()
    async with background(batcher=batcher.run):
        await waiting[1]
    assert [await total(pool, message.key) for message in (given_up, wanted)] == [None, 2]


async def test_two_processes_with_the_same_messages_in_different_order_handle_each_once(
    pool: Pool, settings: Settings
) -> None:
    messages = [add(5) for _ in range(40)]
    one = Batcher(pool, Counters(), settings, sends=[Added])
    other = Batcher(pool, Counters(), settings, sends=[Added])
    for _ in range(2):
        forward = [one.put(message) for message in messages]
        backward = [other.put(message) for message in reversed(messages)]
        async with background(one=one.run, other=other.run):
            handled = await asyncio.gather(*forward)
            assert [h.outgoing for h in await asyncio.gather(*reversed(backward))] == [h.outgoing for h in handled]
    assert [await total(pool, message.key) for message in messages] == [5] * len(messages)
    assert await pool.fetchval("select count(*) from outbox") == len(messages)


async def test_a_command_that_comes_again_is_answered_again_and_not_done_again(pool: Pool, settings: Settings) -> None:
    message = add(5)
    async with batching(pool, settings) as batcher:
        first = await batcher.submit(message)
        await pool.execute("update outbox set published_at = now()")
        again = await batcher.submit(message)
    assert again.outgoing == first.outgoing
    assert await total(pool, message.key) == 5
    assert await pool.fetchval("select count(*) from outbox where published_at is null") == 1


async def test_a_command_twice_in_one_batch_is_done_once_and_answered_alike(pool: Pool, settings: Settings) -> None:
    message = add(5)
    batcher = Batcher(pool, Counters(), settings, sends=[Added])
    waiting = [batcher.put(message), batcher.put(message)]
    async with background(batcher=batcher.run):
        first, second = await asyncio.gather(*waiting)
    assert first.outgoing == second.outgoing
    assert await total(pool, message.key) == 5


async def test_an_event_that_comes_again_is_dropped(pool: Pool, settings: Settings) -> None:
    noted = Message.new(Noted(saga_id=uuid4(), number=5))
    async with batching(pool, settings) as batcher:
        for _ in range(3):
            await batcher.submit(noted)
    assert await total(pool, noted.key) == 5


async def test_a_command_whose_answers_are_pruned_is_decided_again_from_the_row(pool: Pool, settings: Settings) -> None:
    message = add(5)
    async with batching(pool, settings) as batcher:
        first = await batcher.submit(message)
        await pool.execute("delete from outbox")
        again = await batcher.submit(message)
    assert again.row == Counter(message.key, total=10, version=1)
    assert again.outgoing[0].id != first.outgoing[0].id


async def test_of_two_processes_that_insert_the_same_rows_the_loser_tries_again(pool: Pool, settings: Settings) -> None:
    ids = [uuid4() for _ in range(40)]
    async with batching(pool, settings) as one, batching(pool, settings) as other:
        forward = [one.put(add(1, counter_id)) for counter_id in ids]
        backward = [other.put(add(10, counter_id)) for counter_id in reversed(ids)]
        await asyncio.gather(*forward, *backward)
    assert [await total(pool, counter_id) for counter_id in ids] == [11] * len(ids)


async def test_two_processes_that_take_turns_never_go_by_what_they_remember(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings) as one, batching(pool, settings) as other:
        for _ in range(3):
            await one.submit(add(1, counter_id))
            await other.submit(add(10, counter_id))
        handled = await one.submit(Message.new(Noted(saga_id=counter_id, number=100)))
    assert handled.row == Counter(counter_id, total=133, version=6)
    assert await total(pool, counter_id) == 133


async def test_many_processes_and_many_messages_for_one_row_lose_none(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with AsyncExitStack() as stack:
        many = [await stack.enter_async_context(batching(pool, settings)) for _ in range(4)]
        await asyncio.gather(*(batcher.put(add(1, counter_id)) for batcher in many for _ in range(50)))
    assert await total(pool, counter_id) == 200


async def test_a_row_that_is_not_remembered_is_loaded(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings, Forgetful()) as batcher:
        await batcher.submit(add(1, counter_id))
        await batcher.submit(Message.new(Noted(saga_id=counter_id, number=10)))
        await batcher.submit(add(100, counter_id))
    assert await total(pool, counter_id) == 111


async def test_a_row_that_is_remembered_costs_one_transaction(pool: Pool, settings: Settings) -> None:
    counter_id = uuid4()
    async with batching(pool, settings) as batcher:
        await batcher.submit(add(1, counter_id))
        before = loads()
        for _ in range(20):
            await batcher.submit(add(1, counter_id))
    assert loads() == before
    assert await pool.fetchval("select count(distinct xmin::text) from inbox") == 21
    assert await total(pool, counter_id) == 21


async def test_a_patient_message_outlives_a_lost_connection_and_is_done_once(pool: Pool, settings: Settings) -> None:
    message = add(5)
    async with batching(pool, settings, Mortal()) as batcher:
        handled = await batcher.put(message)
    assert handled.row == Counter(message.key, total=5)
    assert await total(pool, message.key) == 5


async def test_a_batch_that_takes_too_long_is_done_in_parts(settings: Settings) -> None:
    settings.statement_timeout_ms = 1_000
    messages = [add(number) for number in range(1, 6)]
    async with database.connect(settings, MIGRATIONS) as pool:
        batcher = Batcher(pool, Slow(), settings, sends=[Added])
        waiting = [batcher.put(message) for message in messages]
        async with asyncio.timeout(30), background(batcher=batcher.run):
            await asyncio.gather(*waiting)
        assert [await total(pool, message.key) for message in messages] == [1, 2, 3, 4, 5]


async def test_an_impatient_message_is_told_that_the_database_is_away(pool: Pool, settings: Settings) -> None:
    message = add(5)
    async with batching(pool, settings, Mortal()) as batcher:
        with pytest.raises(Unavailable):
            await batcher.submit(message)
        assert await total(pool, message.key) is None
        await batcher.put(message)
    assert await total(pool, message.key) == 5


async def test_an_impatient_message_does_not_wait_for_ever(settings: Settings) -> None:
    settings.submit_max_seconds = 0.3
    patient = add(1)
    async with database.connect(settings, MIGRATIONS) as pool, batching(pool, settings, Slow()) as batcher:
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
        relay = Relay(pool, settings, [Added], kafka=Nowhere())
        batcher = Batcher(pool, Counters(), settings, [Added], relay.publish)
        async with relay.running(), background(batcher=batcher.run):
            await asyncio.gather(*(batcher.submit(add()) for _ in range(200)))
        assert await pool.fetchval("select count(*) from outbox where published_at is not null") == 200


class Nowhere:
    """A transport that acknowledges at once."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, _: Message) -> "asyncio.Future[None]":
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def close(self) -> None:
        return
