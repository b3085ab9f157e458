"""A service without an inbox: every message is handled as if it came for the first time."""

import os
import runpy
from collections.abc import Collection
from typing import Any
from uuid import UUID

from chassis.unit_of_work import UnitOfWork
from chassis.writes import Write

writes = UnitOfWork._writes


def enter_nothing(unit: UnitOfWork[Any], _: Collection[UUID], *others: Any) -> list[Write]:
    return writes(unit, (), *others)


UnitOfWork._writes = enter_nothing
runpy.run_module(f"{os.environ['SERVICE'].replace('-', '_')}.main", run_name="__main__")
