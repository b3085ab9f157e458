"""Topics that were there before with other settings, and those of a stack that shares its broker."""

import logging
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from kafka_init.__main__ import try_until_it_works
from kafka_init.differences import TopicsError, mend, settings_of
from kafka_init.settings import Settings
from kafka_init.topics import declared_topics, usable_topics
from ops.letters import connected
from tests.integration.topics import listening, write
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER

DECLARED = {
    "cleanup.policy": "delete",
    "compression.type": "uncompressed",
    "max.message.bytes": "2097152",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
}


@pytest.fixture
async def topic(admin: AIOKafkaAdminClient) -> AsyncIterator[NewTopic]:
    """As declared; the broker has it without any setting."""
    name = await make(admin, {})
    yield NewTopic(name, 1, 1, topic_configs=DECLARED)
    await admin.delete_topics([name])


async def make(admin: AIOKafkaAdminClient, settings: dict[str, str]) -> str:
    """Its name; the broker knows it."""

    async def known() -> None:
        assert name in await usable_topics(admin)

    name = f"test-{uuid4()}"
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])
    await eventually(known)
    return name


async def test_a_topic_that_was_made_by_first_use_gets_every_setting_that_would_lose_or_refuse_messages(
    admin: AIOKafkaAdminClient, topic: NewTopic, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kafka_init")
    await mend(admin, [topic], {topic.name: 1})
    said = [record.getMessage() for record in caplog.records]
    assert f"{topic.name}: max.message.bytes was 1048588, is 2097152 now" in said
    found = (await settings_of(admin, [topic.name]))[topic.name]
    assert {name: found.effective[name] for name in DECLARED} == DECLARED

    caplog.clear()
    await mend(admin, [topic], {topic.name: 1})
    assert not caplog.records


async def test_a_larger_limit_and_what_else_somebody_has_set_stay_as_they_are(
    admin: AIOKafkaAdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kafka_init")
    theirs = {
        "retention.ms": "-1",
        "max.message.bytes": "5000000",
        "segment.ms": "3600000",
        "cleanup.policy": "compact",
    }
    name = await make(admin, theirs)
    await mend(admin, [NewTopic(name, 1, 1, topic_configs=DECLARED)], {name: 1})
    own = (await settings_of(admin, [name]))[name].own
    assert own == theirs | {"cleanup.policy": "delete", "compression.type": "uncompressed"}
    assert f"{name}: retention.ms is -1, more than the 604800000 declared; it stays" in caplog.text
    await admin.delete_topics([name])


async def test_what_cannot_be_mended_is_refused_where_no_message_would_be_taken_and_else_said(
    admin: AIOKafkaAdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    name = await make(admin, {"min.insync.replicas": "2"})
    with pytest.raises(TopicsError, match=r"kafka-configs --alter .* min\.insync\.replicas=1"):
        await mend(admin, [NewTopic(name, 1, 1)], {name: 1})
    await mend(admin, [NewTopic(name, 1, 3)], {name: 2})
    assert f"{name}: replicas are 2, 3 are declared" in caplog.text
    await admin.delete_topics([name])


async def test_two_stacks_on_one_broker_have_topics_and_dead_letters_of_their_own(
    admin: AIOKafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix, others = f"{uuid4()}.", f"{uuid4()}."
    for each in (prefix, others):
        await try_until_it_works(Settings(kafka_broker=KAFKA_BROKER, kafka_prefix=each))
    origin, dlq = "payment-service.retry.5s", "payment-service.dlq"
    failed = {"original-topic": origin, "message-id": str(uuid4()), "attempt": "4"}
    await write(prefix + dlq, b"{}", headers=[(name, value.encode()) for name, value in failed.items()])

    monkeypatch.setenv("KAFKA_PREFIX", others)
    async with connected(KAFKA_BROKER) as letters:
        assert [letter async for letter in letters.all()] == []
    monkeypatch.setenv("KAFKA_PREFIX", prefix)
    async with connected(KAFKA_BROKER) as letters:
        (letter,) = [letter async for letter in letters.all()]
        assert (str(letter.place), letter.topic) == ("payment-service/0/0", origin)
        await letters.redrive(await letters.at(letter.place), letter.value)
        await letters.mark(letter, "redriven", "ann", "a test")
        assert list(await letters.closed()) == [letter.place]
    async with listening(prefix + origin) as listener:
        assert (await listener.records(1))[0].value == b"{}"
    await admin.delete_topics([each + name for each in (prefix, others) for name in declared_topics()])
