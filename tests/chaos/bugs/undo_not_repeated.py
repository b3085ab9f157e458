"""The orchestrator with compensations that are sent once: their deadline passes and nothing follows."""

import runpy

from chassis.messages import Message
from saga_orchestrator.instance import Direction, SagaInstance, TimedOut
from saga_orchestrator.saga import Decision, Turn

decision = Turn.decision


def do_nothing_backward(self: Turn, message: Message, after: SagaInstance) -> Decision:
    if isinstance(message.body, TimedOut) and self.saga.direction is Direction.BACKWARD:
        return Decision(self.saga)
    return decision(self, message, after)


Turn.decision = do_nothing_backward
runpy.run_module("saga_orchestrator.main", run_name="__main__")
