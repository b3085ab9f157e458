"""A service that commits the offsets of what it has read, and only then handles it."""

import os
import runpy

from aiokafka import ConsumerRecord, TopicPartition

from chassis.consumer import Consumer

handle = Consumer._handle


async def acknowledge_and_handle(self: Consumer, records: list[ConsumerRecord]) -> None:
    assert self.kafka
    await self.kafka.commit({TopicPartition(r.topic, r.partition): r.offset + 1 for r in records})
    await handle(self, records)


Consumer._handle = acknowledge_and_handle
runpy.run_module(f"{os.environ['SERVICE'].replace('-', '_')}.main", run_name="__main__")
