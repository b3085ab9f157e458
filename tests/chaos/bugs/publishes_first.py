"""A service that publishes what it has decided, waits until the broker has it, and only then commits."""

import asyncio
import os
import runpy
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from chassis import unit_of_work
from chassis.database import Connection, Pool
from chassis.decider import Row
from chassis.inbox import Entry
from chassis.messages import Message
from chassis.relay import Relay
from chassis.unit_of_work import UnitOfWork
from chassis.writes import Write

make_writes, save = UnitOfWork._writes, unit_of_work.save  # type: ignore[attr-defined]
relays: set[Relay] = set()


def publish_first(
    self: UnitOfWork[Row],
    fresh: Collection[Entry],
    changed: Mapping[UUID, Row],
    sent: list[Message],
    withdrawn: Collection[UUID],
    causes: Mapping[UUID, UUID],
) -> list[Write]:
    self._publish(sent)
    relays.add(self._publish.__self__)  # type: ignore[attr-defined]
    return make_writes(self, fresh, changed, sent, withdrawn, causes)


async def save_later(connection: "Connection | Pool", writes: Sequence[Write]) -> datetime:
    while any(lane.in_flight for relay in relays for lane in relay._lanes.values()):  # noqa: ASYNC110 -- there is no event for it
        await asyncio.sleep(0.001)
    return await save(connection, writes)


UnitOfWork._writes = publish_first
unit_of_work.save = save_later  # type: ignore[attr-defined]
runpy.run_module(f"{os.environ['SERVICE'].replace('-', '_')}.main", run_name="__main__")
