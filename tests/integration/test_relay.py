"""The relay: what was committed is published, once while all is well, and marked when the broker has it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from chassis import outbox
from chassis.database import Pool
from chassis.errors import Overloaded
from chassis.messages import Message, by_destination
from chassis.records import from_record
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.transport import KafkaTransport
from chassis.writes import save
from tests.integration.counters import Bodies, Counters, add
from tests.integration.deciders import batching
from tests.integration.topics import listening
from tests.integration.transports import AcknowledgesNothing, FailsWithTheFirst, GivesTheFirstUp, RefusesTheFirst
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER

NOBODY = "127.0.0.1:1"
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


@asynccontextmanager
async def relaying(pool: Pool, settings: Settings, wired: Bodies) -> AsyncIterator[Relay]:
    relay = Relay(pool, settings, [wired.added], KafkaTransport(settings))
    async with relay.running():
        yield relay


def answers(wired: Bodies, count: int) -> list[Message]:
    return [
        Message(wired.added(saga_id=uuid4(), total=total), uuid4(), causation_id=uuid4(), traceparent=TRACE)
        for total in range(count)
    ]


async def commit(pool: Pool, messages: list[Message], lease_seconds: float = 60) -> None:
    await save(pool, [outbox.write(messages, lease_seconds)])


async def assert_all_marked(pool: Pool) -> None:
    assert await pool.fetchval("select count(*) from outbox where published_at is null") == 0


async def test_what_was_committed_is_published_as_it_is_and_then_marked(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    messages = answers(wired, 20)
    async with relaying(pool, settings, wired) as relay, listening(wired.added.destination) as listener:
        await commit(pool, messages)
        relay.publish(messages)
        await eventually(lambda: assert_all_marked(pool))
        records = await listener.records(20)
    table = by_destination([wired.added])
    assert [from_record(record, table) for record in records] == messages
    assert [record.key for record in records] == [str(message.key).encode() for message in messages]


async def test_what_a_process_committed_and_did_not_publish_is_swept_up_when_its_lease_is_over(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    async with batching(pool, settings, Counters(wired.added)) as dead:
        handled = await asyncio.gather(*(dead.put(add(number)) for number in range(1, 11)))
    left = {answer.body.to_json().encode() for each in handled for answer in each.outgoing}
    async with relaying(pool, settings, wired), listening(wired.added.destination) as listener:
        await eventually(lambda: assert_all_marked(pool))
        assert {record.value for record in await listener.records(10)} == left


async def sweep_passes(pool: Pool, wired: Bodies) -> None:
    """Until a relay has taken a row that is due."""
    await commit(pool, [another := answers(wired, 1)[0]], lease_seconds=-1)

    async def taken() -> None:
        assert await pool.fetchval("select attempts from outbox where message_id = $1", another.id) > 0

    await eventually(taken)


async def test_what_is_stuck_on_one_replicas_way_out_is_sent_by_another(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    jammed = settings.model_copy(update={"kafka_broker": NOBODY, "relay_lease_max_seconds": 3600})
    stuck = answers(wired, 3)
    async with relaying(pool, jammed, wired) as relay, listening(wired.added.destination) as listener:
        relay.publish(stuck)
        await commit(pool, stuck, lease_seconds=-1)
        await sweep_passes(pool, wired)
        async with relaying(pool, settings, wired):
            found = {record.value for record in await listener.records(3 + 1)}
    assert found >= {message.body.to_json().encode() for message in stuck}


async def test_two_relays_publish_each_row_once(pool: Pool, settings: Settings, wired: Bodies) -> None:
    await commit(pool, answers(wired, 200), lease_seconds=-1)
    settings.relay_lease_seconds = settings.relay_lease_max_seconds = 60
    settings.relay_sweep_rows = 10
    async with (
        relaying(pool, settings, wired),
        relaying(pool, settings, wired),
        listening(wired.added.destination) as listener,
    ):
        await eventually(lambda: assert_all_marked(pool))
        assert len(await listener.records(200)) == 200


async def test_nothing_multiplies_while_the_broker_is_away(pool: Pool, settings: Settings, wired: Bodies) -> None:
    settings.kafka_broker = NOBODY
    messages = answers(wired, 5)
    async with relaying(pool, settings, wired) as relay, listening(wired.added.destination) as listener:
        relay.publish(messages)
        await commit(pool, messages, lease_seconds=-1)
        for _ in range(3):
            await sweep_passes(pool, wired)
        settings.kafka_broker = KAFKA_BROKER
        await eventually(lambda: assert_all_marked(pool))
        assert len(await listener.records(5 + 3)) == 5 + 3


async def test_what_was_committed_is_sent_and_marked_before_a_process_ends(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    settings.relay_tick_seconds = settings.relay_drain_seconds = 3600
    first, *others = answers(wired, 51)
    async with listening(wired.added.destination) as listener, relaying(pool, settings, wired) as relay:
        await commit(pool, [first])
        relay.publish([first])
        await listener.records(1)
        await commit(pool, others)
        relay.publish(others)
    await assert_all_marked(pool)


async def test_a_way_out_that_is_jammed_holds_up_no_other(pool: Pool, settings: Settings, wired: Bodies) -> None:
    settings.relay_pending_max_messages = 3
    away = settings.model_copy(update={"kafka_broker": NOBODY})
    jammed = [Message.new(wired.noted(saga_id=uuid4())) for _ in range(5)]
    free = answers(wired, 5)
    other = {wired.added.destination: KafkaTransport(settings)}
    relay = Relay(pool, settings, [wired.added, wired.noted], KafkaTransport(away), other)
    await commit(pool, jammed, lease_seconds=-1)
    async with listening(wired.added.destination) as listener, relay.running():
        relay.publish(jammed)
        await commit(pool, free[:1])
        relay.publish(free[:1])
        await listener.records(1)
        await commit(pool, free[1:], lease_seconds=-1)
        assert len(await listener.records(5)) == 5
    left = await pool.fetch("select attempts from outbox where published_at is null")
    assert [row["attempts"] for row in left] == [0] * len(jammed), "leased though there is no room"


@pytest.mark.parametrize("way_out", [RefusesTheFirst, FailsWithTheFirst, GivesTheFirstUp])
async def test_what_a_way_out_has_lost_is_sent_again_by_the_same_process(
    pool: Pool, settings: Settings, wired: Bodies, way_out: type[RefusesTheFirst]
) -> None:
    (message,) = answers(wired, 1)
    await commit(pool, [message], lease_seconds=-1)
    transport = way_out()
    async with Relay(pool, settings, [wired.added], transport).running():
        await eventually(lambda: assert_all_marked(pool))
    assert transport.messages == [message, message]


async def test_what_is_under_way_is_not_sent_twice_and_no_more_than_the_setting_says(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    settings.relay_pending_max_messages = 3
    messages = answers(wired, 5)
    relay = Relay(pool, settings, [wired.added], transport := AcknowledgesNothing())
    async with relay.running():
        relay.publish([messages[0], messages[0], *messages])
    assert transport.messages == messages[:3]


async def assert_admits(relay: Relay, wanted: bool) -> None:
    try:
        relay.admit()
    except Overloaded:
        assert not wanted
    else:
        assert wanted


async def test_nothing_new_is_admitted_while_too_much_is_unsent(pool: Pool, settings: Settings, wired: Bodies) -> None:
    settings.backlog_max_messages, settings.kafka_broker = 3, NOBODY
    async with relaying(pool, settings, wired) as relay:
        await commit(pool, answers(wired, 2), lease_seconds=-1)
        await sweep_passes(pool, wired)
        await eventually(lambda: assert_admits(relay, False))
        settings.kafka_broker = KAFKA_BROKER
        await eventually(lambda: assert_admits(relay, True))
