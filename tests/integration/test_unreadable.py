"""What the Kafka client cannot read stops its own partition only, which is named and tried again; nothing is passed."""

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from structlog.testing import capture_logs

from chassis.consumer import Consumer
from chassis.database import Pool
from chassis.messages import Message
from chassis.settings import Settings
from tests.integration.counters import Bodies, add, total
from tests.integration.counting import counting
from tests.integration.topics import committed, write
from tests.support.eventually import eventually
from tests.support.unreadable import write_unreadable


async def assert_total(pool: Pool, message: Message, wanted: int) -> None:
    assert await total(pool, message.key) == wanted


async def assert_stands(consumer: Consumer, where: str) -> None:
    health = await consumer.health()
    assert where in str(health), health


async def assert_well(consumer: Consumer) -> None:
    assert await consumer.health() is True


async def test_a_partition_that_cannot_be_read_stands_and_is_named_while_the_others_go_on(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    quick = settings.model_copy(update={"unreadable_retry_seconds": 0.2})
    before, behind, other = add(1), add(2), add(3)
    topic = wired.add.destination
    await write(topic, before)
    await write_unreadable(topic, records=2)
    await write(topic, behind)
    with capture_logs() as log:
        async with counting(quick, wired) as consumer:
            await eventually(lambda: assert_stands(consumer, f"{topic}/0 stands at offset 1"))
            first = consumer.kafka
            await eventually(lambda: assert_total(pool, before, 1))
            await write(wired.noted.destination, noted := Message.new(wired.noted(saga_id=other.key, number=3)))
            await eventually(lambda: assert_total(pool, noted, 3))
            assert await total(pool, behind.key) is None

            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=3)})
            await eventually(lambda: assert_total(pool, behind, 2))
            await eventually(lambda: assert_well(consumer))
            assert consumer.kafka is first
    (said,) = [line for line in log if "cannot be read" in line["event"]]
    place = {"topic": topic, "partition": 0, "offset": 1, "next_readable_offset": 3}
    assert said.items() >= place.items()
    assert await committed(admin, settings.service, topic) == 4


async def test_what_waits_for_its_delay_before_an_unreadable_batch_is_not_passed_over(
    pool: Pool, settings: Settings, wired: Bodies
) -> None:
    delays = {"first": 1.5, "second": 0.2}
    quick = settings.model_copy(update={"unreadable_retry_seconds": 0.1, "retry_delays_seconds": delays})
    topic, message = f"{settings.service}.retry.first", add(5)
    await write(topic, message, more_headers=[("original-topic", wired.add.destination.encode())])
    await write_unreadable(topic, records=1)
    async with counting(quick, wired) as consumer:
        await eventually(lambda: assert_stands(consumer, f"{topic}/0 stands at offset 1"))
        assert await total(pool, message.key) is None
        await eventually(lambda: assert_total(pool, message, 5), within=10)
