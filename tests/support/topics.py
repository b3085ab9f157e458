"""What a stranger with the broker's admin client can do to topics."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.support.stack import KAFKA_BROKER


async def empty(*topics: str) -> None:
    """Delete every record of these."""
    admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA_BROKER)
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=KAFKA_BROKER)
    await admin.start()
    await consumer.start()
    try:
        described = await admin.describe_topics(list(topics))
        partitions = [TopicPartition(t["topic"], p["partition"]) for t in described for p in t["partitions"]]
        ends = await consumer.end_offsets(partitions)
        await admin.delete_records({partition: RecordsToDelete(before_offset=end) for partition, end in ends.items()})
    finally:
        await consumer.stop()
        await admin.close()
