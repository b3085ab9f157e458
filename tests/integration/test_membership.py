"""Who reads what: a member that comes back, topics and partitions that are added, two processes with one name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from structlog.testing import capture_logs

from chassis import kafka
from chassis.consumer import Consumer
from chassis.database import Pool
from chassis.records import header_texts
from chassis.settings import Settings
from tests.integration.counters import Bodies, add, total
from tests.integration.counting import counting
from tests.integration.deciders import RecordsKeys
from tests.integration.topics import committed, listening, write
from tests.support.eventually import eventually


@asynccontextmanager
async def member(settings: Settings, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Of the service's group; it polls all the time."""

    async def poll() -> None:
        while True:
            await client.getmany(timeout_ms=100)

    client = kafka.consumer(settings)
    client.subscribe(topics)
    await client.start()
    polling = asyncio.create_task(poll())
    yield client
    polling.cancel()
    await kafka.stop(client, 5)


def other(settings: Settings) -> Settings:
    return settings.model_copy(update={"instance": f"{settings.instance}-2"})


async def assert_reads(partitions: dict[str, int], *members: AIOKafkaConsumer) -> None:
    wanted = sorted((topic, number) for topic, count in partitions.items() for number in range(count))
    assert sorted(partition for each in members for partition in each.assignment()) == wanted


@pytest.mark.parametrize("companions", [0, 1], ids=["the leader", "a follower"])
async def test_who_comes_back_at_once_and_reads_a_topic_more_reads_it(
    settings: Settings, wired: Bodies, companions: int
) -> None:
    """The broker hands it its old assignment; a follower that asks again with nothing new is given that once more."""
    old, new, _ = wired.topics
    async with AsyncExitStack() as stack:
        leaders = [await stack.enter_async_context(member(other(settings), old)) for _ in range(companions)]
        async with member(settings, old) as first:
            await eventually(lambda: assert_reads({old: 1}, first, *leaders))
        async with member(settings, old, new) as second:
            await eventually(lambda: assert_reads({old: 1, new: 1}, second, *leaders))


async def test_partitions_are_read_that_came_while_their_reader_was_away_and_after_it_came_back(
    settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    """After a quick restart of the leader aiokafka lets nobody in the group watch for new partitions."""
    topic = wired.add.destination
    hasty = settings.model_copy(update={"kafka_metadata_max_age_ms": 200})
    async with member(hasty, topic) as client:
        await eventually(lambda: assert_reads({topic: 1}, client))
    await admin.create_partitions({topic: NewPartitions(2)})
    async with member(hasty, topic) as client:
        await eventually(lambda: assert_reads({topic: 2}, client))
    async with member(hasty, topic) as client:
        await eventually(lambda: assert_reads({topic: 2}, client))
        await admin.create_partitions({topic: NewPartitions(3)})
        await eventually(lambda: assert_reads({topic: 3}, client))


async def test_two_processes_with_one_instance_id_share_the_work_and_one_says_who_the_other_is(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    topic, messages = wired.add.destination, [add(1) for _ in range(20)]
    await admin.create_partitions({topic: NewPartitions(2)})
    with capture_logs() as log:
        async with counting(settings, wired) as first, counting(settings, wired) as second:
            both = (first, second)
            await eventually(lambda: assert_share(topic, *both))
            for message in messages:
                await write(topic, message)
            await eventually(lambda: assert_counted(pool, [message.key for message in messages]))
            await eventually(lambda: assert_all_committed(admin, settings.service, topic, len(messages)))
            await assert_share(topic, *both)
    (line,) = [line for line in log if "another process has the same instance id" in line["event"]]
    clients = {each._membership.client_id for each in both}
    assert line["instance"] == settings.instance
    assert line["other_client"] in clients


async def assert_share(topic: str, *consumers: Consumer) -> None:
    shares = [{p for p in each.kafka.assignment() if p.topic == topic} for each in consumers if each.kafka]
    assert [len(share) for share in shares] == [1, 1]
    assert shares[0] != shares[1]


async def assert_counted(pool: Pool, keys: list[object]) -> None:
    assert [await total(pool, key) for key in keys] == [1] * len(keys)  # type: ignore[arg-type]


async def assert_all_committed(admin: AIOKafkaAdminClient, group: str, topic: str, records: int) -> None:
    offsets = [await committed(admin, group, topic, partition) or 0 for partition in (0, 1)]
    assert sum(offsets) == records


async def test_two_stacks_on_one_broker_with_different_prefixes_do_not_see_each_other(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    """Each reads, answers, parks and commits under names of its own; code and headers know them without."""
    first, second = (settings.model_copy(update={"kafka_prefix": f"{name}."}) for name in ("first", "second"))
    service, topic, message, poison = settings.service, wired.add.destination, add(5), b"junk"
    names = [*wired.topics, f"{service}.dlq", *(f"{service}.retry.{name}" for name in settings.retry_delays_seconds)]
    own = [f"{prefix}.{name}" for prefix in ("first", "second") for name in names]
    await admin.create_topics([NewTopic(name, 1, 1) for name in own])
    deciders = RecordsKeys(wired.added), RecordsKeys(wired.added)
    async with counting(first, wired, deciders[0]), counting(second, wired, deciders[1]):
        await write(f"first.{topic}", message, poison)
        await write(f"second.{topic}", other_message := add(7))
        async with listening(f"first.{wired.added.destination}", f"first.{service}.dlq") as listener:
            found = {record.topic: record for record in await listener.records(2)}
        await eventually(lambda: assert_committed(admin, f"first.{service}", f"first.{topic}", 2))
        await eventually(lambda: assert_committed(admin, f"second.{service}", f"second.{topic}", 1))
        assert found[f"first.{wired.added.destination}"].key == str(message.key).encode()
        assert header_texts(found[f"first.{service}.dlq"])["original-topic"] == topic
    assert [decider.keys for decider in deciders] == [{message.key}, {other_message.key}]
    await admin.delete_topics(own)


async def assert_committed(admin: AIOKafkaAdminClient, group: str, topic: str, wanted: int) -> None:
    assert await committed(admin, group, topic) == wanted
