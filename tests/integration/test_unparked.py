"""Where a topic of failures takes no copy: it is said, nobody waits for it, nothing is lost, and it mends itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chassis.consumer import Consumer
from chassis.database import Pool
from chassis.messages import Message
from chassis.records import header_texts
from chassis.settings import Settings
from tests.integration.counters import Bodies, add, total
from tests.integration.counting import counting
from tests.integration.deciders import FindsThirteenHopeless
from tests.integration.topics import committed, listening, write
from tests.support.eventually import eventually

POISON = b"\x00\xffnot a message"


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update={"unparked_retry_seconds": 0.2})


async def assert_total(pool: Pool, message: Message, wanted: int) -> None:
    assert await total(pool, message.key) == wanted


async def assert_health(consumer: Consumer, *words: str) -> None:
    health = str(await consumer.health())
    assert all(word in health for word in words), health


async def assert_committed(admin: AIOKafkaAdminClient, settings: Settings, topic: str, wanted: int) -> None:
    assert await committed(admin, settings.service, topic) == wanted


async def test_nothing_waits_behind_a_record_whose_dead_letter_topic_is_missing_and_it_is_not_lost(
    pool: Pool, quick: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    before, after, later = add(1), add(2), add(3)
    topic, dlq = wired.add.destination, f"{quick.service}.dlq"
    await admin.delete_topics([dlq])
    async with counting(quick, wired) as consumer:
        await write(topic, before, POISON, after)
        await eventually(lambda: assert_total(pool, after, 2))
        await write(topic, later)
        await eventually(lambda: assert_total(pool, later, 3))
        await eventually(lambda: assert_health(consumer, dlq, "missing"))
        await eventually(lambda: assert_committed(admin, quick, topic, 1))

        await admin.create_topics([NewTopic(dlq, 1, 1)])
        await eventually(lambda: assert_committed(admin, quick, topic, 4))
        await eventually(lambda: assert_health(consumer, "True"))
    async with listening(dlq) as listener:
        (letter,) = await listener.records(1)
    assert letter.value == POISON


async def test_what_was_not_parked_when_the_process_ended_is_parked_by_the_next(
    pool: Pool, quick: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    after, dlq = add(2), f"{quick.service}.dlq"
    await admin.delete_topics([dlq])
    async with counting(quick, wired):
        await write(wired.add.destination, POISON, after)
        await eventually(lambda: assert_total(pool, after, 2))
    await admin.create_topics([NewTopic(dlq, 1, 1)])
    async with counting(quick, wired), listening(dlq) as listener:
        (letter,) = await listener.records(1)
        await eventually(lambda: assert_committed(admin, quick, wired.add.destination, 2))
    assert letter.value == POISON
    await assert_total(pool, after, 2)


async def test_no_more_is_read_from_a_partition_than_may_wait_unparked_and_the_others_go_on(
    pool: Pool, quick: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    full = quick.model_copy(update={"unparked_max_messages": 2})
    behind, other, dlq = add(2), add(3), f"{quick.service}.dlq"
    await admin.delete_topics([dlq])
    async with counting(full, wired) as consumer:
        await write(wired.add.destination, POISON, POISON)
        await eventually(lambda: assert_health(consumer, dlq, "2 wait"))
        await write(wired.add.destination, behind)
        await write(wired.noted.destination, noted := Message.new(wired.noted(saga_id=other.key, number=3)))
        await eventually(lambda: assert_total(pool, noted, 3))
        assert await total(pool, behind.key) is None

        await admin.create_topics([NewTopic(dlq, 1, 1)])
        await eventually(lambda: assert_total(pool, behind, 2))


@asynccontextmanager
async def configured(admin: AIOKafkaAdminClient, topic: str, **config: str) -> AsyncIterator[None]:
    named = {name.replace("_", "."): value for name, value in config.items()}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=named)])
    yield


async def letter_of(settings: Settings, wired: Bodies, pool: Pool, poison: bytes) -> ConsumerRecord:
    """What becomes of it, when those before and behind it have been handled."""
    before, after, dlq = add(1), add(2), f"{settings.service}.dlq"
    async with counting(settings, wired), listening(dlq) as listener:
        await write(wired.add.destination, before, poison, after)
        await eventually(lambda: assert_total(pool, after, 2))
        (letter,) = await listener.records(1)
    return letter


async def test_a_letter_that_does_not_fit_its_topic_is_cut_down_and_says_where_the_whole_is(
    pool: Pool, quick: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    async with configured(admin, f"{quick.service}.dlq", max_message_bytes="1000"):
        letter = await letter_of(quick, wired, pool, b"x" * 5_000)
    headers = header_texts(letter)
    assert letter.value == b"x" * 200
    assert headers["cut"].startswith("200 of 5000 bytes")
    assert (headers["original-topic"], headers["original-offset"]) == (wired.add.destination, "1")


async def test_a_letter_without_a_key_goes_to_a_compacted_topic_under_its_message_id(
    pool: Pool, quick: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    async with configured(admin, f"{quick.service}.dlq", cleanup_policy="compact"):
        letter = await letter_of(quick, wired, pool, POISON)
    assert letter.key.decode() == header_texts(letter)["message-id"]


async def test_a_command_that_keeps_failing_is_one_dead_letter_however_often_it_is_sent(
    pool: Pool, quick: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    unlucky, after, topic = add(13), add(2), wired.add.destination
    retries = [f"{quick.service}.retry.{name}" for name in quick.retry_delays_seconds]
    async with counting(quick, wired), listening(f"{quick.service}.dlq", *retries) as listener:
        await write(topic, *[unlucky] * 5)
        assert len(await listener.records(3)) == 3
        await write(topic, *[unlucky] * 5, after)
        await eventually(lambda: assert_total(pool, after, 2))
        await eventually(lambda: assert_committed(admin, quick, topic, 11))
        assert len(await listener.records(3)) == 3


async def test_two_messages_under_one_id_are_two_letters_and_a_redriven_one_is_another_try(
    pool: Pool, quick: Settings, wired: Bodies
) -> None:
    unlucky, topic = add(13), wired.add.destination
    other = Message(wired.add(saga_id=unlucky.key, number=13), unlucky.id)
    async with (
        counting(quick, wired, FindsThirteenHopeless(wired.added)),
        listening(f"{quick.service}.dlq") as listener,
    ):
        await write(topic, unlucky, Message(add(13).body, unlucky.id), other)
        assert len(await listener.records(2)) == 2
        await write(topic, unlucky, more_headers=[("redrives", b"1")])
        assert len(await listener.records(3)) == 3
