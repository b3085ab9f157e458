"""The saga engine: `decide` takes a saga and a message and says what comes next. Pure, and knows nothing of orders.

A position and a direction are all the state there is. Forward, the saga awaits the reply to a step's `do`; after a
definite no at step i it walks back over the undos of i-1 ... 0, after an unknown outcome or a cancel over i ... 0.
Each walk sends one command at a time. After Garcia-Molina and Salem, "Sagas" (1987): backward recovery up to the
pivot, forward recovery after it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.messages import Body, Message
from saga_orchestrator.definition import Saga, SagaCommand, Start, Step, label_of
from saga_orchestrator.instance import (
    Cancel,
    Direction,
    Kind,
    LogEntry,
    Resolve,
    Retry,
    SagaInstance,
    Status,
    TimedOut,
)

JITTER = 0.2


class IllegalTransition(Exception):
    """The saga is not in a state in which this may happen; nothing changes."""


class UnknownSaga(Exception):
    """There is no such saga."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The saga as it is now, the commands to send, and what to append to its log."""

    saga: SagaInstance
    outgoing: tuple[Message, ...] = ()
    log: tuple[LogEntry, ...] = ()


def decide(definition: Saga, saga: SagaInstance | None, message: Message, now: datetime, command_id: UUID) -> Decision:
    """What follows from this message; `command_id` is for the new command, should there be one.

    Raises `IllegalTransition` when an operator asks for what cannot be any more, `UnknownSaga` when there is no saga.
    """
    if isinstance(message.body, Start):
        if saga is not None:
            return Decision(saga)
        saga = SagaInstance(message.body.saga_id, message.body, created_at=now)
        after: SagaInstance | None = _send(definition, saga, 0, Direction.FORWARD, now, command_id)
    elif saga is None:
        raise UnknownSaga(f"there is no saga {message.key}")
    else:
        after = _next(definition, saga, message, now, command_id)
    return _decision(definition, saga, after, message, now)


def _next(
    definition: Saga, saga: SagaInstance, message: Message, now: datetime, command_id: UUID
) -> SagaInstance | None:
    """The saga after this message; the same one if nothing follows, None if a reply comes too late to count."""
    step = definition.steps[saga.position]
    match message.body:
        case Cancel(reason=reason):
            _require(saga.status is Status.RUNNING, f"the saga is {saga.status}")
            _require(saga.direction is Direction.FORWARD, "the saga is being compensated already")
            _require(saga.position <= definition.pivot, "the saga is past its pivot and can only go forward")
            _require(step.undo is not None, "the saga is at its pivot, which cannot be undone")
            return _back(definition, saga, saga.position, now, command_id, step="CANCELLED", reason=reason)
        case Retry():
            _require(saga.status is Status.RUNNING, f"the saga is {saga.status}")
            return _try(step, saga, saga.attempt, now)
        case Resolve(reason=reason):
            _require(saga.needs_attention is not None, "the saga does not need attention")
            status = Status.COMPLETED if saga.direction is Direction.FORWARD else Status.FAILED
            return _end(saga, status, reason=f"resolved by hand: {reason}")
        case TimedOut(awaiting=awaiting, attempt=attempt):
            if (saga.awaiting, saga.attempt) != (awaiting, attempt):
                return saga
            return _overdue(definition, saga, now, command_id)
        case reply:
            if not _answers(step, saga, message):
                return None
            return _answered(definition, saga, reply, now, command_id)


def _answers(step: Step, saga: SagaInstance, message: Message) -> bool:
    """Whether this replies to the awaited command: by its causation id or, from a foreign participant, by its type."""
    allowed = (step.yes, step.no) if saga.direction is Direction.FORWARD else (step.undone,)
    if saga.awaiting is None or type(message.body) not in allowed:
        return False
    return message.causation_id is None or message.causation_id == saga.awaiting


def _answered(definition: Saga, saga: SagaInstance, reply: Body, now: datetime, command_id: UUID) -> SagaInstance:
    step = definition.steps[saga.position]
    if saga.direction is Direction.BACKWARD:
        return _back(definition, saga, saga.position - 1, now, command_id)
    if type(reply) is step.no:
        why = getattr(reply, "reason", None)
        return _back(definition, saga, saga.position - 1, now, command_id, step=label_of(type(reply)), reason=why)
    if saga.position + 1 == len(definition.steps):
        return _end(saga, Status.COMPLETED, step=label_of(type(reply)))
    return _send(definition, saga, saga.position + 1, Direction.FORWARD, now, command_id, step=label_of(type(reply)))


def _overdue(definition: Saga, saga: SagaInstance, now: datetime, command_id: UUID) -> SagaInstance:
    step = definition.steps[saga.position]
    if saga.attempt < step.tries:
        return _try(step, saga, saga.attempt + 1, now)
    forward = saga.direction is Direction.FORWARD
    if forward and saga.position <= definition.pivot and step.undo is not None:
        why = f"no reply to {step.do.__name__} after {step.tries} tries"
        return _back(definition, saga, saga.position, now, command_id, step=step.timed_out, reason=why)
    why = f"no reply to {_command(step, saga.direction).__name__} after {saga.attempt} tries"
    return _try(step, saga, saga.attempt + 1, now, needs_attention=why)


def _back(
    definition: Saga, saga: SagaInstance, position: int, now: datetime, command_id: UUID, **changes: Any
) -> SagaInstance:
    if position < 0:
        return _end(saga, Status.FAILED, **changes)
    return _send(definition, saga, position, Direction.BACKWARD, now, command_id, **changes)


def _send(
    definition: Saga,
    saga: SagaInstance,
    position: int,
    direction: Direction,
    now: datetime,
    command_id: UUID,
    **changes: Any,
) -> SagaInstance:
    step = definition.steps[position]
    deadline = now + step.wait(1) * _spread(command_id)
    new: dict[str, Any] = {
        "position": position,
        "direction": direction,
        "awaiting": command_id,
        "attempt": 1,
        "deadline": deadline,
    }
    return replace(saga, needs_attention=None, **new, **changes)


def _try(step: Step, saga: SagaInstance, attempt: int, now: datetime, **changes: Any) -> SagaInstance:
    """The awaited command once more, under the same id."""
    assert saga.awaiting is not None
    deadline = now + step.wait(attempt) * _spread(saga.awaiting)
    return replace(saga, attempt=attempt, deadline=deadline, **changes)


def _command(step: Step, direction: Direction) -> type[SagaCommand]:
    command = step.do if direction is Direction.FORWARD else step.undo
    assert command is not None, f"step {step.name!r} cannot be undone"
    return command


def _spread(command_id: UUID) -> float:
    """Jitter without dice: sagas that began together do not come back together."""
    return 1 + JITTER * (command_id.int % 1000 / 1000 - 0.5)


def _end(saga: SagaInstance, status: Status, **changes: Any) -> SagaInstance:
    return replace(saga, status=status, awaiting=None, attempt=0, deadline=None, needs_attention=None, **changes)


def _decision(
    definition: Saga, before: SagaInstance, after: SagaInstance | None, message: Message, now: datetime
) -> Decision:
    """Add the log; send the awaited command if this decision began a new try."""
    seq = before.seq + 1
    if after is before:
        return Decision(before)
    if after is None:
        late = LogEntry(before.saga_id, seq, Kind.LATE, message, now)
        return Decision(replace(before, seq=seq), log=(late,))
    received = LogEntry(before.saga_id, seq, Kind.RECEIVED, message, now)
    if after.awaiting is None:
        return Decision(replace(after, seq=seq), log=(received,))
    command = _command(definition.steps[after.position], after.direction)
    outgoing = message.cause(command.of(after.start), after.awaiting)
    sent = LogEntry(before.saga_id, seq + 1, Kind.SENT, outgoing, now)
    return Decision(replace(after, seq=seq + 1), (outgoing,), (received, sent))


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise IllegalTransition(otherwise)
