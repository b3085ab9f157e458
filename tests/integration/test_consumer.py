"""The consumer: nothing is lost and nothing stops, whatever dies and whatever somebody writes."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from chassis.database import Pool
from chassis.messages import Message
from chassis.records import header_texts, headers_of
from chassis.retries import LONGEST_HEADER
from chassis.settings import Settings
from tests.integration.counters import Bodies, add, total
from tests.integration.counting import counting
from tests.integration.deciders import FindsThirteenHopeless, RefusesTwice
from tests.integration.topics import committed, listening, write, write_by_java
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER, ROOT

POISON = b"\x00\xffnot a message"
FAR_FUTURE_MS = 32_503_680_000_000


async def assert_total(pool: Pool, message: Message, wanted: int) -> None:
    assert await total(pool, message.key) == wanted


async def assert_committed(admin: AIOKafkaAdminClient, settings: Settings, topic: str, wanted: int) -> None:
    assert await committed(admin, settings.service, topic) == wanted


async def test_an_offset_is_committed_only_after_the_database_has_committed(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    topic, message = wired.add.destination, add(5)
    async with counting(settings, wired):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("lock table counters in access exclusive mode")
            await write(topic, message)

            async def blocked() -> None:
                assert await pool.fetchval("select count(*) from pg_locks where not granted")

            await eventually(blocked)
            assert await committed(admin, settings.service, topic) is None
        await eventually(lambda: assert_committed(admin, settings, topic, 1))
        await assert_total(pool, message, 5)


async def test_a_record_that_was_handled_by_a_process_that_died_comes_again_and_counts_once(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    topic, message = wired.add.destination, add(5)
    await write(topic, message)
    assert await die_at("consumer.before_offset_commit", settings) == -signal.SIGKILL
    await assert_total(pool, message, 5)
    assert await committed(admin, settings.service, topic) is None
    async with counting(settings, wired), listening(wired.added.destination) as listener:
        await eventually(lambda: assert_committed(admin, settings, topic, 1))
        await assert_total(pool, message, 5)
        assert len({header_texts(record)["message-id"] for record in await listener.records(1)}) == 1


async def test_a_record_whose_transaction_died_comes_again_and_is_done(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    message = add(5)
    await write(wired.add.destination, message)
    assert await die_at("batch.before_commit", settings) == -signal.SIGKILL
    assert await total(pool, message.key) is None
    async with counting(settings, wired):
        await eventually(lambda: assert_total(pool, message, 5))


async def test_bytes_that_are_no_message_end_as_a_dead_letter_and_the_partition_goes_on(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    before, after = add(1), add(2)
    await write(wired.add.destination, before, POISON, after)
    async with counting(settings, wired), listening(f"{settings.service}.dlq") as listener:
        await eventually(lambda: assert_total(pool, before, 1))
        await eventually(lambda: assert_total(pool, after, 2))
        (letter,) = await listener.records(1)
    assert letter.value == POISON
    assert header_texts(letter)["original-topic"] == wired.add.destination
    assert header_texts(letter)["original-offset"] == "1"
    assert "InvalidRecord" in header_texts(letter)["error"]


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_a_foreign_sender_may_pack_its_messages_as_it_likes(
    pool: Pool, settings: Settings, wired: Bodies, codec: str
) -> None:
    message = add(5)
    await write_by_java(wired.add.destination, codec, message.body.to_json().encode())
    async with counting(settings, wired):
        await eventually(lambda: assert_total(pool, message, 5))


@pytest.mark.parametrize("attempt", ["x", "-5", "", "9" * 9, "9" * 9999])
async def test_nonsense_in_the_count_of_tries_stops_nobody(
    pool: Pool, settings: Settings, wired: Bodies, attempt: str
) -> None:
    unlucky, after = add(13), add(2)
    header = [("attempt", attempt.encode()), ("original-topic", wired.add.destination.encode())]
    retry = f"{settings.service}.retry.{next(iter(settings.retry_delays_seconds))}"
    async with counting(settings, wired), listening(f"{settings.service}.dlq") as listener:
        await write(retry, unlucky, more_headers=header)
        await write(wired.add.destination, after)
        await eventually(lambda: assert_total(pool, after, 2))
        (letter,) = await listener.records(1)
    assert header_texts(letter)["message-id"] == str(unlucky.id)


async def test_a_message_that_is_refused_is_tried_later_and_nobody_waits_for_it(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    refused, patient = add(1), add(2)
    await write(wired.add.destination, refused)
    async with counting(settings, wired, RefusesTwice(wired.added)):
        await eventually(lambda: assert_total(pool, refused, 1))
        await write(wired.add.destination, patient)
        await eventually(lambda: assert_total(pool, patient, 2))


async def test_a_record_from_the_future_keeps_no_other_waiting(pool: Pool, settings: Settings, wired: Bodies) -> None:
    early, after = add(1), add(2)
    header = [("original-topic", wired.add.destination.encode())]
    retry = f"{settings.service}.retry.{next(iter(settings.retry_delays_seconds))}"
    async with counting(settings, wired):
        await write(retry, early, more_headers=header, timestamp_ms=FAR_FUTURE_MS)
        await write(retry, after, more_headers=header)
        await eventually(lambda: assert_total(pool, early, 1))
        await eventually(lambda: assert_total(pool, after, 2))


async def test_a_message_that_is_always_refused_is_a_dead_letter_after_its_last_try_and_keeps_its_id(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    unlucky = add(13)
    await write(wired.add.destination, unlucky)
    dlq = f"{settings.service}.dlq"
    retries = [f"{settings.service}.retry.{name}" for name in settings.retry_delays_seconds]
    async with counting(settings, wired), listening(dlq, *retries) as listener:
        records = await listener.records(1 + len(retries))
    assert sorted(record.topic for record in records) == sorted([dlq, *retries])
    assert {header_texts(record)["message-id"] for record in records} == {str(unlucky.id)}
    assert await pool.fetchval("select count(*) from inbox") == 0


async def test_a_message_that_no_repetition_helps_is_a_dead_letter_at_once(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    hopeless, after = add(13), add(2)
    await write(wired.add.destination, hopeless, after)
    retries = [f"{settings.service}.retry.{name}" for name in settings.retry_delays_seconds]
    async with (
        counting(settings, wired, FindsThirteenHopeless(wired.added)),
        listening(f"{settings.service}.dlq", *retries) as listener,
    ):
        await eventually(lambda: assert_total(pool, after, 2))
        (letter,) = await listener.records(1)
    assert letter.topic == f"{settings.service}.dlq"
    assert header_texts(letter)["message-id"] == str(hopeless.id)
    assert header_texts(letter)["attempt"] == "1"


async def test_a_replica_that_leaves_hands_its_work_to_the_other(pool: Pool, settings: Settings, wired: Bodies) -> None:
    other = settings.model_copy(update={"instance": "other"})
    first, second = add(1), add(2)
    async with counting(settings, wired):
        await write(wired.add.destination, first)
        await eventually(lambda: assert_total(pool, first, 1))
    async with counting(other, wired):
        await write(wired.add.destination, second)
        await eventually(lambda: assert_total(pool, second, 2))
        await assert_total(pool, first, 1)


async def test_a_header_however_long_is_cut_and_stops_nobody(pool: Pool, settings: Settings, wired: Bodies) -> None:
    """Copied whole it would not fit into any topic: bytes that are no UTF-8 become three each."""
    unlucky, after = add(13), add(2)
    topic, dlq = wired.add.destination, f"{settings.service}.dlq"
    async with counting(settings, wired), listening(dlq) as listener:
        await write(topic, b"junk", headers=[("message-type", b"\xff" * 800_000)])
        await write(topic, unlucky, more_headers=[("redrives", b"7" * 700_000)])
        await write(topic, after)
        await eventually(lambda: assert_total(pool, after, 2))
        letters = await listener.records(2)
    assert all(len(text) <= LONGEST_HEADER for letter in letters for text in header_texts(letter).values())


async def test_what_a_foreign_sender_has_taken_back_is_not_done(pool: Pool, settings: Settings, wired: Bodies) -> None:
    aborted, after = add(1), add(2)
    topic = wired.add.destination
    async with AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER, transactional_id=topic) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, aborted.body.to_json().encode(), headers=headers_of(aborted))
        await producer.abort_transaction()
    await write(topic, after)
    async with counting(settings, wired):
        await eventually(lambda: assert_total(pool, after, 2))
    assert await total(pool, aborted.key) is None


async def die_at(point: str, settings: Settings) -> int:
    """The exit code of a process that consumes until it reaches this crash point."""
    values = settings.model_dump(mode="json")
    environment = {name.upper(): v if isinstance(v, str) else json.dumps(v) for name, v in values.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.counting"),
        cwd=ROOT,
        env=os.environ | environment | {"CRASH_AT": point},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            return await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
