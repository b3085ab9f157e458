"""A service without an inbox: every message is handled as if it came for the first time."""

import os
import runpy
from collections.abc import Collection, Mapping
from uuid import UUID

from chassis.decider import Row
from chassis.inbox import Entry
from chassis.messages import Message
from chassis.unit_of_work import UnitOfWork
from chassis.writes import Write

writes = UnitOfWork._writes


def enter_nothing(
    self: UnitOfWork[Row],
    fresh: Collection[Entry],
    changed: Mapping[UUID, Row],
    sent: list[Message],
    withdrawn: Collection[UUID],
    causes: Mapping[UUID, UUID],
) -> list[Write]:
    return writes(self, (), changed, sent, withdrawn, causes)


UnitOfWork._writes = enter_nothing
runpy.run_module(f"{os.environ['SERVICE'].replace('-', '_')}.main", run_name="__main__")
