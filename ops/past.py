"""The way past a batch that the Kafka client cannot read."""

import asyncio
from contextlib import suppress
from typing import Annotated

import structlog
import typer
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError

from audit.look import CONSUMERS
from kafka_init.topics import declared_topics
from local import kafka
from local.problem import Problem

log = structlog.get_logger()

MOST_UNHANDLED = 500
"""As many as a batch may well have. More are perhaps a slip of the pen."""


def go_past(
    context: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PLACE", help="topic/partition/offset: where it can be read again.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who does this, for the log.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="For what reason, likewise.")],
    force: Annotated[
        bool, typer.Option("--force", help=f"More than {MOST_UNHANDLED} of them were not handled.")
    ] = False,
) -> None:
    """Give up what a partition holds before an offset, as it cannot be read; its consumer goes on there by itself."""
    partition, offset = parsed(place)

    async def delete() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=context.obj.kafka_broker)
        await admin.start()
        try:
            unhandled = max(0, offset - await handled_before(admin, partition))
            if unhandled > MOST_UNHANDLED and not force:
                raise Problem(f"{unhandled} records before {place} were not handled: --force, if you mean all of them.")
            await admin.delete_records({partition: RecordsToDelete(before_offset=offset)})
        except OffsetOutOfRangeError as error:
            raise Problem(f"{partition.topic}/{partition.partition} does not reach as far as {offset}.") from error
        finally:
            await admin.close()
        return unhandled

    given_up = {"topic": partition.topic, "partition": partition.partition, "offset": offset}
    log.info("given up what came before", **given_up, not_handled=asyncio.run(delete()))
    log.info("its consumer goes on there by itself, within a minute", by=by, why=why)


async def handled_before(admin: AIOKafkaAdminClient, partition: TopicPartition) -> int:
    """From which offset on its consumer has not committed that it was handled; 0, if there is none."""
    groups = [f"{kafka.prefix()}{name}" for name in CONSUMERS]
    found = [await admin.list_consumer_group_offsets(group, partitions=[partition]) for group in groups]
    committed: list[int] = [offsets[partition].offset for offsets in found]
    return max(0, *committed)


def parsed(place: str) -> tuple[TopicPartition, int]:
    """`Problem` if it is none in a topic of ours."""
    with suppress(ValueError):
        topic, partition, offset = place.rsplit("/", 2)
        name = topic.removeprefix(kafka.prefix())
        if name in declared_topics():
            return TopicPartition(kafka.prefix() + name, int(partition)), int(offset)
    raise Problem(f"{place} is not topic/partition/offset, with a topic of topics.toml; `/readyz` names the place.")
