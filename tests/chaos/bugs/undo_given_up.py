"""The orchestrator that takes a compensation without a reply for done and goes on with the next."""

import runpy
from datetime import datetime
from uuid import UUID

from saga_orchestrator import saga
from saga_orchestrator.definition import Saga
from saga_orchestrator.instance import Direction, SagaInstance

overdue = saga._overdue


def go_on_backward(definition: Saga, instance: SagaInstance, now: datetime, command_id: UUID) -> SagaInstance:
    if instance.direction is Direction.BACKWARD:
        return saga._back(definition, instance, instance.position - 1, now, command_id)
    return overdue(definition, instance, now, command_id)


saga._overdue = go_on_backward
runpy.run_module("saga_orchestrator.main", run_name="__main__")
