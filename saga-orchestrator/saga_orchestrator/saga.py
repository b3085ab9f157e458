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

from chassis.errors import Hopeless
from chassis.messages import Body, Event, Message
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


class UnknownSaga(Hopeless):
    """There is no such saga."""


class Contradiction(Hopeless):
    """A reply to the awaited command that speaks of something else than the saga asked for; nothing changes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The saga as it is now, the commands to send, and what to append to its log."""

    saga: SagaInstance
    outgoing: tuple[Message, ...] = ()
    log: tuple[LogEntry, ...] = ()


def decide(definition: Saga, saga: SagaInstance | None, message: Message, now: datetime, command_id: UUID) -> Decision:
    """What follows from this message; `command_id` is for the new command, should there be one.

    Raises `IllegalTransition` when an operator asks for what cannot be any more, `UnknownSaga` when there is no saga,
    `Contradiction` when a reply cannot mean it.
    """
    body = message.body
    if isinstance(body, Start):
        if saga is not None:
            return Decision(saga)
        turn = Turn(definition, SagaInstance(body.saga_id, body, now, definition.fingerprint), now, command_id)
        return turn.decision(message, turn.begun())
    if saga is None:
        raise UnknownSaga(f"there is no saga {message.key}")
    turn = Turn(definition, saga, now, command_id)
    if isinstance(body, TimedOut):
        if (body.awaiting, body.attempt, body.seq or saga.seq) != (saga.awaiting, saga.attempt, saga.seq):
            return Decision(saga)
    elif isinstance(body, Event) and not turn.awaits(message):
        return turn.too_late(message)
    return turn.decision(message, turn.after(body))


@dataclass(frozen=True, slots=True)
class Turn:
    """A saga at one moment; what it becomes when something happens."""

    definition: Saga
    saga: SagaInstance
    now: datetime
    command_id: UUID

    @property
    def step(self) -> Step:
        """Where it stands."""
        return self.definition.steps[self.saga.position]

    def awaits(self, reply: Message) -> bool:
        """Whether this replies to the awaited command: by its causation id or, from a foreign participant, by type."""
        if self.saga.awaiting is None:
            return False
        step, forward = self.step, self.saga.direction is Direction.FORWARD
        if type(reply.body) not in ((step.yes, step.no) if forward else (step.undone,)):
            return False
        return reply.causation_id is None or reply.causation_id == self.saga.awaiting

    def begun(self) -> SagaInstance:
        """The first command of all."""
        return self._send(0, Direction.FORWARD)

    def after(self, body: Body) -> SagaInstance:
        """After a message that counts."""
        match body:
            case Cancel(reason=reason):
                return self._cancelled(reason)
            case Retry():
                _require(self.saga.status is Status.RUNNING, f"the saga is {self.saga.status}")
                return self._try(self.saga.attempt)
            case Resolve(reason=reason):
                return self._resolved(reason)
            case TimedOut():
                return self._overdue()
            case reply:
                return self._answered(reply)

    def decision(self, message: Message, after: SagaInstance) -> Decision:
        """Add the log; send the awaited command if a new try of it begins."""
        seq = self.saga.seq + 1
        received = LogEntry(after.saga_id, seq, Kind.RECEIVED, message, self.now)
        if after.awaiting is None:
            return Decision(replace(after, seq=seq), log=(received,))
        command = command_of(self.definition.steps[after.position], after.direction)
        outgoing = message.cause(command.of(after.start), after.awaiting)
        sent = LogEntry(after.saga_id, seq + 1, Kind.SENT, outgoing, self.now)
        return Decision(replace(after, seq=seq + 1), (outgoing,), (received, sent))

    def too_late(self, reply: Message) -> Decision:
        """Nothing but an entry in the log."""
        seq = self.saga.seq + 1
        late = LogEntry(self.saga.saga_id, seq, Kind.LATE, reply, self.now)
        return Decision(replace(self.saga, seq=seq), log=(late,))

    def _cancelled(self, reason: str) -> SagaInstance:
        saga = self.saga
        _require(saga.status is Status.RUNNING, f"the saga is {saga.status}")
        _require(saga.direction is Direction.FORWARD, "the saga is being compensated already")
        _require(saga.position <= self.definition.pivot, "the saga is past its pivot and can only go forward")
        _require(self.step.undo is not None, "the saga is at its pivot, which cannot be undone")
        return self._back(saga.position, step="CANCELLED", reason=reason)

    def _resolved(self, reason: str) -> SagaInstance:
        _require(self.saga.needs_attention is not None, "the saga does not need attention")
        status = Status.COMPLETED if self.saga.direction is Direction.FORWARD else Status.FAILED
        return self._end(status, reason=f"resolved by hand: {reason}")

    def _answered(self, reply: Body) -> SagaInstance:
        if wrong := self.saga.start.contradiction(reply):
            raise Contradiction(wrong)
        position = self.saga.position
        if self.saga.direction is Direction.BACKWARD:
            return self._back(position - 1)
        label = label_of(type(reply))
        if type(reply) is self.step.no:
            return self._back(position - 1, step=label, reason=getattr(reply, "reason", None))
        if position + 1 == len(self.definition.steps):
            return self._end(Status.COMPLETED, step=label)
        return self._send(position + 1, Direction.FORWARD, step=label)

    def _overdue(self) -> SagaInstance:
        saga, step = self.saga, self.step
        if saga.attempt < step.tries:
            return self._try(saga.attempt + 1)
        forward = saga.direction is Direction.FORWARD
        if forward and saga.position <= self.definition.pivot and step.undo is not None:
            why = f"no reply to {step.do.__name__} after {step.tries} tries"
            return self._back(saga.position, step=step.timed_out, reason=why)
        why = f"no reply to {command_of(step, saga.direction).__name__} after {saga.attempt} tries"
        return self._try(saga.attempt + 1, needs_attention=why)

    def _back(self, position: int, **changes: Any) -> SagaInstance:
        """To the undo of this step; before the first step there is nothing left to undo."""
        if position < 0:
            return self._end(Status.FAILED, **changes)
        return self._send(position, Direction.BACKWARD, **changes)

    def _send(self, position: int, direction: Direction, **changes: Any) -> SagaInstance:
        """A new command, under a new id."""
        new: dict[str, Any] = {
            "position": position,
            "direction": direction,
            "awaiting": self.command_id,
            "attempt": 1,
            "deadline": self._deadline(self.definition.steps[position], 1, self.command_id),
        }
        return replace(self.saga, needs_attention=None, **new, **changes)

    def _try(self, attempt: int, **changes: Any) -> SagaInstance:
        """The awaited command once more, under the same id."""
        assert self.saga.awaiting is not None
        deadline = self._deadline(self.step, attempt, self.saga.awaiting)
        return replace(self.saga, attempt=attempt, deadline=deadline, **changes)

    def _end(self, status: Status, **changes: Any) -> SagaInstance:
        new: dict[str, Any] = {"status": status, "awaiting": None, "attempt": 0, "deadline": None}
        return replace(self.saga, needs_attention=None, **new, **changes)

    def _deadline(self, step: Step, attempt: int, command_id: UUID) -> datetime:
        """With jitter, but without randomness: sagas that began together do not come back together."""
        spread = 1 + JITTER * (command_id.int % 1000 / 1000 - 0.5)
        return self.now + step.wait(attempt) * spread


def command_of(step: Step, direction: Direction) -> type[SagaCommand]:
    """What is sent for this step on the way in this direction."""
    command = step.do if direction is Direction.FORWARD else step.undo
    assert command is not None, f"step {step.name!r} cannot be undone"
    return command


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise IllegalTransition(otherwise)
