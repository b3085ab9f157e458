"""A service that publishes what it has decided, waits until the broker has it, and only then commits."""

import asyncio
import os
import runpy
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis import unit_of_work
from chassis.database import Connection
from chassis.messages import Message
from chassis.relay import Relay
from chassis.unit_of_work import UnitOfWork
from chassis.writes import Write

writes, save = UnitOfWork._writes, unit_of_work.save
relays: set[Relay] = set()


def publish_first(
    unit: UnitOfWork[Any], fresh: Collection[UUID], changed: Mapping[UUID, Any], sent: list[Message], *others: Any
) -> list[Write]:
    unit._publish(sent)
    relays.add(unit._publish.__self__)
    return writes(unit, fresh, changed, sent, *others)


async def save_later(connection: Connection, parts: Sequence[Write]) -> datetime:
    while any(lane.in_flight for relay in relays for lane in relay._lanes.values()):  # noqa: ASYNC110 -- there is no event for it
        await asyncio.sleep(0.001)
    return await save(connection, parts)


UnitOfWork._writes = publish_first
unit_of_work.save = save_later
runpy.run_module(f"{os.environ['SERVICE'].replace('-', '_')}.main", run_name="__main__")
