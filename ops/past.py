"""The way past a batch that the Kafka client cannot read."""

import asyncio
from contextlib import suppress
from typing import Annotated

import structlog
import typer
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError

from kafka_init.topics import declared_topics
from local import kafka
from local.problem import Problem

log = structlog.get_logger()


def go_past(
    context: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PLACE", help="topic/partition/offset: where it can be read again.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who does this, for the log.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="For what reason, likewise.")],
) -> None:
    """Give up what a partition holds before an offset, as it cannot be read; its consumer goes on there by itself."""
    partition, offset = parsed(place)

    async def delete() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=context.obj.kafka_broker)
        await admin.start()
        try:
            await admin.delete_records({partition: RecordsToDelete(before_offset=offset)})
        except OffsetOutOfRangeError as error:
            raise Problem(f"{partition.topic}/{partition.partition} does not reach as far as {offset}.") from error
        finally:
            await admin.close()

    asyncio.run(delete())
    log.info("given up what came before", topic=partition.topic, partition=partition.partition, offset=offset)
    log.info("its consumer goes on there by itself, within a minute", by=by, why=why)


def parsed(place: str) -> tuple[TopicPartition, int]:
    """`Problem` if it is none in a topic of ours."""
    with suppress(ValueError):
        topic, partition, offset = place.rsplit("/", 2)
        name = topic.removeprefix(kafka.prefix())
        if name in declared_topics():
            return TopicPartition(kafka.prefix() + name, int(partition)), int(offset)
    raise Problem(f"{place} is not topic/partition/offset, with a topic of topics.toml; `/readyz` names the place.")
