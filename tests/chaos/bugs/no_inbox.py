"""A service without an inbox: every message is handled as if it came for the first time."""

import os
import runpy
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from chassis.messages import Message
from chassis.unit_of_work import UnitOfWork
from chassis.writes import Write

writes = UnitOfWork._writes


def enter_nothing(
    unit: UnitOfWork[Any], _: Collection[UUID], changed: Mapping[UUID, Any], sent: list[Message]
) -> list[Write]:
    return writes(unit, (), changed, sent)


UnitOfWork._writes = enter_nothing
runpy.run_module(f"{os.environ['SERVICE'].replace('-', '_')}.main", run_name="__main__")
