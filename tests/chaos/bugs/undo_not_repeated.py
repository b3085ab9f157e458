"""The orchestrator with compensations that are sent once: their deadline passes and nothing follows."""

import runpy
from datetime import datetime
from uuid import UUID

from saga_orchestrator import saga
from saga_orchestrator.definition import Saga
from saga_orchestrator.instance import Direction, SagaInstance

overdue = saga._overdue


def do_nothing_backward(definition: Saga, instance: SagaInstance, now: datetime, command_id: UUID) -> SagaInstance:
    if instance.direction is Direction.BACKWARD:
        return instance
    return overdue(definition, instance, now, command_id)


saga._overdue = do_nothing_backward
runpy.run_module("saga_orchestrator.main", run_name="__main__")
