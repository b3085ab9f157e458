"""The outbox: what was committed is leased to one sweep at a time until it is marked."""

from uuid import uuid4

from chassis import outbox
from chassis.database import Connection, Pool
from chassis.messages import Message, by_type
from chassis.outbox import Lease
from chassis.writes import save
from tests.integration.counters import Added

TABLE = by_type([Added])
LONG, LONGEST = 60.0, 600.0


def answer(total: int = 1) -> Message:
    return Message(Added(saga_id=uuid4(), total=total), uuid4(), causation_id=uuid4(), traceparent="00-1-2-01")


async def write(pool: Pool, *messages: Message, lease_seconds: float = -1) -> None:
    """Rows that were due a second ago, as after a crash; or under a lease."""
    await save(pool, [outbox.write(messages, lease_seconds)])


async def sweep(pool: "Pool | Connection", rows: int = 100) -> list[Message]:
    return (await outbox.tend(pool, (), Lease(rows, LONG, LONGEST), TABLE, most=10))[1]


async def mark(pool: Pool, message: Message) -> None:
    await outbox.tend(pool, [message.id], Lease(0, LONG, LONGEST), TABLE, most=10)


async def test_a_row_gives_the_whole_message_back(pool: Pool) -> None:
    message = answer()
    await write(pool, message)
    assert await sweep(pool) == [message]


async def test_nobody_else_sends_under_a_lease(pool: Pool) -> None:
    await write(pool, answer(), lease_seconds=LONG)
    assert await sweep(pool) == []


async def test_what_is_under_way_is_left_to_others(pool: Pool) -> None:
    await write(pool, message := answer())
    lease = Lease(9, LONG, LONGEST, under_way=[message.id])
    assert await outbox.tend(pool, (), lease, TABLE, most=10) == (1, [])
    assert await sweep(pool) == [message]


async def test_a_sweep_takes_a_lease_and_the_lease_grows_with_each_attempt(pool: Pool) -> None:
    await write(pool, answer())
    leases = []
    for _ in range(6):
        assert len(await sweep(pool)) == 1
        assert await sweep(pool) == []
        leases.append(await pool.fetchval("select extract(epoch from publish_after - now())::float from outbox"))
        await pool.execute("update outbox set publish_after = now() - interval '1 second'")
    assert [round(lease / LONG) for lease in leases] == [1, 2, 4, 8, 10, 10]
    await pool.execute("update outbox set attempts = 100000")
    assert len(await sweep(pool)) == 1


async def test_what_waits_longest_is_swept_first(pool: Pool) -> None:
    first, second, third = (answer() for _ in range(3))
    for message, late_seconds in ((second, 2), (third, 1), (first, 3)):
        await write(pool, message, lease_seconds=-late_seconds)
    assert [await sweep(pool, rows=1) for _ in range(3)] == [[first], [second], [third]]


async def test_when_the_clock_is_set_back_no_row_waits_for_it(pool: Pool) -> None:
    await write(pool, message := answer(), lease_seconds=3 * LONGEST)
    assert await sweep(pool) == [message]


async def test_what_is_marked_is_not_swept(pool: Pool) -> None:
    sent, unsent = answer(), answer()
    await write(pool, sent, unsent)
    assert await outbox.tend(pool, [sent.id], Lease(9, LONG, LONGEST), TABLE, most=10) == (1, [unsent])
    assert await outbox.tend(pool, [], Lease(9, LONG, LONGEST), TABLE, most=10) == (1, [])


async def test_the_backlog_is_counted_no_further_than_asked(pool: Pool) -> None:
    await write(pool, *(sent := [answer(), answer()]), *(answer() for _ in range(5)))
    for most, counted in ((3, 3), (10, 5)):
        backlog, _ = await outbox.tend(pool, [m.id for m in sent], Lease(0, LONG, LONGEST), TABLE, most)
        assert backlog == counted
        await pool.execute("update outbox set published_at = null")


async def test_two_sweeps_at_once_share_the_rows_and_do_not_wait_for_each_other(pool: Pool) -> None:
    messages = [answer(total) for total in range(10)]
    await write(pool, *messages)
    async with pool.acquire() as connection, connection.transaction():
        first = await sweep(connection, 4)
        second = await sweep(pool)
    assert (len(first), len(second)) == (4, 6)
    assert {m.id for m in first} | {m.id for m in second} == {m.id for m in messages}


async def test_the_answers_to_a_message_are_found_by_what_caused_them(pool: Pool) -> None:
    message, other = answer(), answer()
    assert message.causation_id is not None
    await write(pool, message, other)
    async with pool.acquire() as connection:
        assert await outbox.find_answers(connection, [message.causation_id], TABLE) == {message.causation_id: [message]}


async def test_a_message_that_is_written_again_is_sent_again_under_its_id(pool: Pool) -> None:
    message = answer()
    await write(pool, message)
    await mark(pool, message)
    await write(pool, message)
    assert await sweep(pool) == [message]


async def test_a_message_that_is_written_again_has_the_lease_of_the_process_that_will_send_it(pool: Pool) -> None:
    message = answer()
    await write(pool, message)
    await mark(pool, message)
    await write(pool, message, lease_seconds=LONG)
    assert await sweep(pool) == []


async def test_what_is_withdrawn_is_not_sent_and_what_was_sent_stays_on_record(pool: Pool) -> None:
    sent, other = answer(), answer()
    unsent = sent.cause(Added(saga_id=sent.key, total=2))
    await write(pool, sent, unsent, other)
    await mark(pool, sent)
    await save(pool, [outbox.withdraw([sent.key])])
    assert await sweep(pool) == [other]
    assert {row["message_id"] for row in await pool.fetch("select message_id from outbox")} == {sent.id, other.id}


async def test_a_message_that_only_another_version_can_send_stops_no_other(pool: Pool) -> None:
    forgotten, changed, known = answer(), answer(), answer()
    await write(pool, forgotten, changed, known)
    await pool.execute("update outbox set type = 'Subtracted' where message_id = $1", forgotten.id)
    await pool.execute("update outbox set body = '{}' where message_id = $1", changed.id)
    assert await outbox.tend(pool, (), Lease(9, LONG, LONGEST), TABLE, most=10) == (3, [known])


async def test_a_sweep_takes_no_more_than_asked_whatever_the_planner_knows(pool: Pool) -> None:
    await pool.execute("vacuum analyze outbox")  # which is empty: a plan for that may repeat a subquery for each row
    await write(pool, *(answer() for _ in range(300)))
    assert len(await sweep(pool, 100)) == 100
    assert await pool.fetchval("select count(*) from outbox where attempts > 0") == 100
