"""The inbox: what comes again is answered again, and not done again."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from chassis import inbox, outbox
from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.inbox import Entry
from chassis.loops import background
from chassis.messages import Message, by_type
from chassis.outbox import Lease
from chassis.settings import Settings
from chassis.writes import save
from tests.integration.counters import Added, Counter, Counters, Noted, add, total
from tests.integration.deciders import batching


async def test_an_id_is_entered_once_and_takes_the_rest_of_its_batch_with_it(pool: Pool) -> None:
    first, second, third = (Entry(uuid4()) for _ in range(3))
    await save(pool, [inbox.enter([first, second])])
    with pytest.raises(asyncpg.UniqueViolationError):
        await save(pool, [inbox.enter([second, third])])
    assert {row["message_id"] for row in await pool.fetch("select message_id from inbox")} == {first.id, second.id}


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


@pytest.mark.parametrize("at_once", [True, False])
async def test_one_id_for_several_messages_swallows_none_and_each_is_answered_for_itself(
    pool: Pool, settings: Settings, at_once: bool
) -> None:
    """As a stranger may have it: the id of its saga, or one for everything."""
    first, other = add(5), add(7)
    second, noted = replace(other, id=first.id), Message(Noted(saga_id=first.key, number=1), first.id)
    messages = [first, second, noted]
    answers: list[tuple[Message, ...]] = []
    for _ in range(2):  # the second time by a process that remembers nothing
        batcher = Batcher(pool, Counters(), settings, sends=[Added])
        async with background(batcher=batcher.run):
            if at_once:
                handled = await asyncio.gather(*map(batcher.put, messages))
            else:
                handled = [await batcher.put(message) for message in messages]
        answers.append(tuple(answer for each in handled for answer in each.outgoing))
        await pool.execute("update outbox set publish_after = now() - interval '1 s', published_at = null")
    assert answers[0] == answers[1]
    assert [(answer.key, answer.causation_id) for answer in answers[0]] == [(m.key, first.id) for m in messages[:2]]
    assert [await total(pool, message.key) for message in messages[:2]] == [6, 7]
    _, due = await outbox.tend(pool, [], Lease(9, 1, 1), by_type([Added]), most=9)
    assert sorted(due, key=str) == sorted(answers[0], key=str), "the relay does not name the given id"


async def test_what_an_older_version_has_entered_is_not_done_again(pool: Pool, settings: Settings) -> None:
    message = add(5)
    async with batching(pool, settings) as batcher:
        first = await batcher.submit(message)
    await pool.execute("update inbox set subject = null")
    async with batching(pool, settings) as batcher:
        assert (await batcher.submit(message)).outgoing == first.outgoing
    assert await total(pool, message.key) == 5


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
