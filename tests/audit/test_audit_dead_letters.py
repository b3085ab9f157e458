"""Open dead letters are found, and nothing but a marker or the consumer's inbox closes one."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.audit.seeded import Books
from tests.support.stack import KAFKA_BROKER


@pytest.fixture
async def topic(books: Books) -> str:
    """A dead-letter topic of this test's own, of the payment service."""
    name = f"audit-{uuid4()}.dlq"
    books.options = replace(books.options, dead_letters={"payment-service": name})
    return name


@pytest.fixture
async def producer() -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER)
    await producer.start()
    yield producer
    await producer.stop()


@pytest.fixture
async def existing(topic: str) -> AsyncIterator[str]:
    """The topic, created, and removed afterwards."""
    admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA_BROKER)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    yield topic
    await admin.delete_topics([topic])
    await admin.close()


async def bury(producer: AIOKafkaProducer, topic: str, value: bytes, message_id: UUID | None) -> str:
    """One more dead letter; returns its place, as a marker names it."""
    headers = {"original-topic": "payment.charge.command", "original-partition": "2", "original-offset": "7"}
    headers |= {"attempt": "4", "error": "ValueError: no", "message-id": str(message_id)}
    sent = await producer.send_and_wait(topic, value, headers=[(k, v.encode()) for k, v in headers.items()])
    return f"{sent.topic}/{sent.partition}/{sent.offset}"


def shown(place: str) -> str:
    """As `dlq list` shows it."""
    return place.replace(".dlq", "")


async def test_a_topic_that_does_not_exist_is_a_note(books: Books, topic: str) -> None:
    verdict = (await books.verdicts(only={"I11"}))["I11"]
    assert (verdict.count, verdict.unreadable, verdict.notes) == (0, [], [f"topic {topic} does not exist"])


async def test_a_broker_that_is_away_makes_the_verdict_unreadable(books: Books) -> None:
    verdict = (await books.verdicts(only={"I11"}, kafka_broker="127.0.0.1:9"))["I11"]
    assert verdict.unreadable


async def test_open_dead_letters_are_found_until_they_are_closed(
    books: Books, existing: str, producer: AIOKafkaProducer
) -> None:
    (saga, order), message = await books.ids(5), uuid4()
    body = json.dumps({"sagaId": str(saga), "orderId": str(order)}).encode()
    named = await bury(producer, existing, body, message)
    poison = await bury(producer, existing, b"\xff\x00", None)
    origin = "from payment.charge.command/2/7, attempt 4: ValueError: no"

    assert await books.found() == {"I11": {(saga, order), (None, None)}}
    assert await books.whats("I11") == [f"dead letter {shown(place)} {origin}" for place in (named, poison)]

    await books.payment("insert into inbox (message_id, subject) values ($1, 7)", message)
    assert await books.found() == {"I11": {(saga, order), (None, None)}}, "another message has the same id"

    await books.payment("update inbox set subject = null where message_id = $1", message)
    assert await books.whats("I11") == [f"dead letter {shown(poison)} {origin}"]

    await producer.send_and_wait(existing, key=b"marker", headers=[("redriven", poison.encode())])
    verdict = (await books.verdicts(only={"I11"}))["I11"]
    assert (verdict.count, verdict.looked) == (0, 2)
