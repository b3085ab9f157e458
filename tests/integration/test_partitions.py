"""Two processes of one service share the keys, and know how."""

from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from chassis.database import Pool
from chassis.kafka import choose_partition
from chassis.records import headers_of
from chassis.settings import Settings
from tests.integration.counters import Bodies, add
from tests.integration.counting import counting
from tests.integration.deciders import RecordsKeys
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER


async def test_a_process_knows_which_keys_it_will_read(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    topic, keys = wired.add.destination, [uuid4() for _ in range(40)]
    await admin.create_partitions({topic: NewPartitions(total_count=4)})
    deciders = RecordsKeys(wired.added), RecordsKeys(wired.added)
    second = settings.model_copy(update={"instance": f"{settings.instance}-2"})
    async with counting(settings, wired, deciders[0]) as one, counting(second, wired, deciders[1]) as two:

        async def expected() -> tuple[set[UUID], set[UUID]]:
            first, second = ({key for key in keys if process.will_read(topic, key)} for process in (one, two))
            assert first
            assert second
            assert first | second == set(keys)
            return first, second

        shares = await eventually(expected)
        async with AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER, partitioner=choose_partition) as producer:
            for message in (add(1, key) for key in keys):
                body = message.body.to_json().encode()
                await producer.send_and_wait(topic, body, key=str(message.key).encode(), headers=headers_of(message))

        async def all_are_counted() -> None:
            assert await pool.fetchval("select count(*) from counters") == len(keys)

        await eventually(all_are_counted)
    assert (deciders[0].keys, deciders[1].keys) == shares
