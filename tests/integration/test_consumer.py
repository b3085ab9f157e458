"""The consumer: nothing is lost and nothing stops, whatever dies and whatever somebody writes."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chassis.consumer import Consumer
from chassis.database import Pool
from chassis.messages import Message
from chassis.records import header_texts, headers_of
from chassis.settings import Settings
from tests.integration.counters import Bodies, add, total
from tests.integration.counting import counting
from tests.integration.topics import committed, listening, write, write_by_java
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER, ROOT

WAITING_LOCKS = """
select count(*) from pg_locks join pg_database on pg_database.oid = database
where not granted and datname = current_database()"""


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
                assert await pool.fetchval(WAITING_LOCKS)

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


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_a_foreign_sender_may_pack_its_messages_as_it_likes_and_the_broker_may_leave_them_so(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient, codec: str
) -> None:
    message, topic = add(5), wired.add.destination
    as_it_comes = ConfigResource(ConfigResourceType.TOPIC, topic, {"compression.type": "producer"})
    await admin.alter_configs([as_it_comes])
    await write_by_java(topic, codec, message.body.to_json().encode())
    async with counting(settings, wired):
        await eventually(lambda: assert_total(pool, message, 5))


async def test_a_replica_that_leaves_hands_its_work_to_the_other(pool: Pool, settings: Settings, wired: Bodies) -> None:
    first, second = add(1), add(2)
    replicas = [settings.model_copy(update={"instance": name}) for name in ("a", "b")]
    async with counting(replicas[1], wired) as stays:
        async with counting(replicas[0], wired) as leaves:
            await eventually(lambda: assert_reads(leaves, wired, not_yet=stays))
            await write(wired.add.destination, first)
            await eventually(lambda: assert_total(pool, first, 1))
        await write(wired.add.destination, second)
        await eventually(lambda: assert_total(pool, second, 2))
        await assert_total(pool, first, 1)


async def assert_reads(one: Consumer, wired: Bodies, not_yet: Consumer) -> None:
    assert one.joined
    assert not_yet.joined
    assert [each.will_read(wired.add.destination, uuid4()) for each in (one, not_yet)] == [True, False]


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
    values = settings.model_dump(mode="json", exclude_unset=True)
    environment = {name.upper(): v if isinstance(v, str) else json.dumps(v) for name, v in values.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.counting"),
        cwd=ROOT,
        env=os.environ | environment | {"CRASH_AT": point},
    )
    try:
        async with asyncio.timeout(30):
            return await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
