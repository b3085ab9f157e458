"""The orchestrator that takes a compensation without a reply for done and goes on with the next."""

import runpy

from saga_orchestrator.instance import Direction, SagaInstance
from saga_orchestrator.saga import Turn

overdue = Turn._overdue


def go_on_backward(self: Turn) -> SagaInstance:
    if self.saga.direction is Direction.BACKWARD:
        return self._back(self.saga.position - 1)
    return overdue(self)


Turn._overdue = go_on_backward
runpy.run_module("saga_orchestrator.main", run_name="__main__")
