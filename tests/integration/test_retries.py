"""What cannot be handled is tried later, or ends as a dead letter; nobody waits for it, and nothing of it is lost."""

import time
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from chassis.copies import LONGEST_HEADER
from chassis.database import Pool
from chassis.messages import Message
from chassis.records import header_texts
from chassis.settings import Settings
from tests.integration.counters import Add, Bodies, add, total
from tests.integration.counting import counting
from tests.integration.deciders import FindsThirteenHopeless, RefusesTwice
from tests.integration.topics import listening, write
from tests.support.eventually import eventually

POISON = b"\x00\xffnot a message"
HOUR_SECONDS = 3600
FAR_FUTURE_MS = 32_503_680_000_000
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


async def assert_total(pool: Pool, message: Message, wanted: int) -> None:
    assert await total(pool, message.key) == wanted


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


async def test_the_log_names_the_saga_of_a_dead_letter_without_a_key(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    saga_id = uuid4()
    with capture_logs() as log:
        async with counting(settings, wired), listening(f"{settings.service}.dlq") as listener:
            await write(wired.add.destination, f'{{"sagaId": "{str(saga_id).upper()}", "number": "many"}}'.encode())
            await listener.records(1)
    assert [line["saga_id"] for line in log if line["event"] == "message parked"] == [str(saga_id)]


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


async def test_a_record_that_is_due_does_not_take_one_along_that_is_not(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    due, early = add(1), add(2)
    header = [("original-topic", wired.add.destination.encode())]
    name = next(iter(settings.retry_delays_seconds))
    settings.retry_delays_seconds[name] = HOUR_SECONDS
    long_ago_ms = int(time.time() - 2 * HOUR_SECONDS) * 1000
    await write(f"{settings.service}.retry.{name}", due, more_headers=header, timestamp_ms=long_ago_ms)
    await write(f"{settings.service}.retry.{name}", early, more_headers=header)
    async with counting(settings, wired):
        await eventually(lambda: assert_total(pool, due, 1))
    assert await total(pool, early.key) is None


KEPT = (
    *("message-id", "message-type", "causation-id", "traceparent", "redrives"),
    *("original-topic", "original-partition", "original-offset"),
)


async def test_a_message_that_is_always_refused_is_a_dead_letter_after_its_last_try_and_keeps_what_it_came_with(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    unlucky = Message(Add(saga_id=uuid4(), number=13), uuid4(), uuid4(), TRACE)
    await write(wired.add.destination, add(1), unlucky, more_headers=[("redrives", b"1")])
    dlq = f"{settings.service}.dlq"
    retries = [f"{settings.service}.retry.{name}" for name in settings.retry_delays_seconds]
    async with counting(settings, wired), listening(dlq, *retries) as listener:
        records = await listener.records(1 + len(retries))
    assert sorted(record.topic for record in records) == sorted([dlq, *retries])
    assert {tuple(header_texts(record).get(name) for name in KEPT) for record in records} == {
        (str(unlucky.id), "Add", str(unlucky.causation_id), TRACE, "1", wired.add.destination, "0", "1")
    }
    assert await total(pool, unlucky.key) is None
    assert await pool.fetchval("select count(*) from inbox") == 1


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
