"""A service that commits the offsets of what it has read, and only then handles it."""

import os
import runpy

from chassis.consumer import Consumer
from chassis.kafka import Polled

handle = Consumer._handle


async def acknowledge_and_handle(self: Consumer, polled: Polled) -> None:
    assert self.kafka
    await self.kafka.commit({partition: records[-1].offset + 1 for partition, records in polled.items()})
    await handle(self, polled)


Consumer._handle = acknowledge_and_handle
runpy.run_module(f"{os.environ['SERVICE'].replace('-', '_')}.main", run_name="__main__")
