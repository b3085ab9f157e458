"""Bugs, the circumstance in which each of them bites, and the invariants that are then violated."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis.kafka import stop
from local.instance import INVENTORY, ORCHESTRATOR, PAYMENT, Service
from tests.chaos.circumstances import (
    charge_after_its_refund,
    charge_that_is_never_committed,
    command_sent_twice,
    late_reply_and_a_crash,
    refund_lost,
    reply_sent_twice,
)
from tests.chaos.system import System
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER
from tests.support.wire import COMMANDS

Circumstance: TypeAlias = Callable[[System], Awaitable[str]]
SETTINGS = {
    "STEP_TIMEOUT_SCALE": "0.2",
    "RETRY_DELAYS_SECONDS": '{"5s": 2, "30s": 2, "5m": 2}',
    "RELAY_LEASE_SECONDS": "10",
}
"""Of the services with and without a bug. With this lease nothing is sent twice only because it was not yet marked."""


@dataclass(frozen=True, eq=False)
class Bug:
    """One part of a service swapped by the module, and the invariants that are then violated."""

    module: str
    service: Service
    circumstance: Circumstance
    violates: Collection[str]
    proves: pytest.MarkDecorator

    def __str__(self) -> str:
        return f"{self.module} in {self.service.name}"


async def forget(databases: Databases, saga_id: str) -> None:
    """Remove what a bug has left, so that the next audit finds only what is its own.

    Not before the commands are behind their readers for good, or they would come again and be done anew.
    """
    for participant in (PAYMENT, INVENTORY):
        await eventually(partial(assert_all_committed, participant))
    orchestrator = databases.orchestrator
    order_id = await orchestrator.fetchval("select order_id from sagas where saga_id = $1", saga_id)
    for table in ("saga_events", "checkout_requests", "sagas"):
        await orchestrator.execute(f"delete from {table} where saga_id = $1", saga_id)
    for pool in (orchestrator, databases.payment, databases.inventory):
        await pool.execute("delete from outbox where key = $1", saga_id)
    await databases.order.execute("delete from orders where order_id = $1", order_id)
    await databases.payment.execute("delete from payments where order_id = $1", order_id)
    await databases.inventory.execute("delete from reservations where order_id = $1", order_id)


async def assert_all_committed(participant: Service) -> None:
    """Its group has committed every command that there is."""
    topics = [topic for topic in COMMANDS if topic.startswith(participant.database.owner)]
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=KAFKA_BROKER)
    await consumer.start()
    try:
        places = [TopicPartition(topic, p) for topic in topics for p in consumer.partitions_for_topic(topic) or ()]
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    finally:
        await stop(consumer, seconds=5)
    admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA_BROKER)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(participant.name, partitions=places)
    finally:
        await admin.close()
    behind = {place: end for place, end in ends.items() if max(begins[place], found[place].offset) < end}
    assert not behind, f"not committed up to {behind}"


BUGS = (
    Bug("acknowledges_first", ORCHESTRATOR, late_reply_and_a_crash, {"I9"}, pytest.mark.proves("bug-early-ack")),
    Bug("no_inbox", PAYMENT, command_sent_twice, {"I9"}, pytest.mark.proves("bug-no-inbox")),
    Bug("no_inbox", ORCHESTRATOR, reply_sent_twice, {"I9"}, pytest.mark.proves("bug-no-inbox")),
    Bug("no_tombstone", PAYMENT, charge_after_its_refund, {"I2", "I7"}, pytest.mark.proves("bug-no-tombstone")),
    Bug("publishes_first", PAYMENT, charge_that_is_never_committed, {"I2"}, pytest.mark.proves("bug-early-publish")),
    Bug("undo_not_repeated", ORCHESTRATOR, refund_lost, {"I5"}, pytest.mark.proves("bug-dropped-compensation")),
    Bug("undo_given_up", ORCHESTRATOR, refund_lost, {"I2", "I8"}, pytest.mark.proves("bug-dropped-compensation")),
)
