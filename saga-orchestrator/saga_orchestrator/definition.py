"""How a saga is declared: a list of steps, checked when it is made, so that a wrong one does not even start."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any, Self

from chassis.messages import SUBMITTER, Body, Command, Event

LONGEST_WAIT_SECONDS = 30.0


class Start(Command):
    """The first message of a saga; what it says is all that the steps' commands are made of."""

    def contradiction(self, reply: Body) -> str | None:
        """In what a reply speaks of something else than this saga asked for; None if in nothing that it says."""


class SagaCommand(Command):
    """A command of a step; it can be made from nothing but the saga's start."""

    @classmethod
    def participant(cls) -> str:
        """Who receives it: `payment` for the topic `payment.charge.command`, `order` for `order-service`."""
        return re.split("[.-]", cls.destination)[0]

    @classmethod
    def of(cls, start: Any) -> Self:
        """The command for the saga that began so."""
        raise NotImplementedError


class DefinitionError(Exception):
    """The list of steps is not a saga that can always end; the message says which step and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One participant's action: the command, its replies, and how it is undone.

    `timeout_seconds` is the first deadline of its commands; it doubles with every try up to `longest_seconds`. After
    `tries` the outcome is unknown: the step is undone, or, where there is no way back, the saga is flagged and keeps
    trying. `formerly` are the names that it had in earlier lists.
    """

    name: str
    do: type[SagaCommand]
    yes: type[Event]
    no: type[Event] | None = None
    undo: type[SagaCommand] | None = None
    undone: type[Event] | None = None
    pivot: bool = False
    timeout_seconds: float = 5.0
    longest_seconds: float = LONGEST_WAIT_SECONDS
    tries: int = 5
    formerly: tuple[str, ...] = ()

    def wait(self, attempt: int) -> timedelta:
        """How long the given try, from 1 on, may stay unanswered."""
        return timedelta(seconds=min(self.timeout_seconds * 2.0 ** min(attempt - 1, 20), self.longest_seconds))

    @property
    def timed_out(self) -> str:
        """What the saga's `step` says when this step's outcome stays unknown: `PAYMENT_TIMED_OUT`."""
        return f"{label_of(self.yes).partition('_')[0]}_TIMED_OUT"

    def described(self) -> dict[str, Any]:
        """What decides a saga's way, as JSON: by it a log can be read when the list has changed."""
        messages = {"do": self.do, "yes": self.yes, "no": self.no, "undo": self.undo, "undone": self.undone}
        names = {role: message.__name__ for role, message in messages.items() if message}
        return {"name": self.name, **names, "pivot": self.pivot, "tries": self.tries}


class Saga:
    """A declared sequence of steps, checked when it is made.

    The tries of each step must fit into `expected_seconds`, and the auditor reports a saga that is older and not
    flagged; nothing ends a saga by it.
    """

    def __init__(self, name: str, *steps: Step, expected_seconds: float = 600.0) -> None:
        self.name = name
        self.steps = steps
        self.expected_seconds = expected_seconds
        pivots = [position for position, step in enumerate(steps) if step.pivot]
        if len(pivots) != 1:
            raise DefinitionError(f"saga {name!r} needs exactly one pivot, it has {len(pivots)}")
        self.pivot = pivots[0]
        for position, step in enumerate(steps):
            for wrong in self._faults(position, step):
                raise DefinitionError(f"saga {name!r}, step {step.name!r}: {wrong}")
        self.described = json.dumps([step.described() for step in steps])
        self.fingerprint = hashlib.sha256(self.described.encode()).hexdigest()[:12]
        """Equal for equal lists; the timeouts do not count."""

    def scaled(self, factor: float) -> "Saga":
        """The same saga with every timeout multiplied, for tests that cannot wait."""
        steps = (
            replace(s, timeout_seconds=s.timeout_seconds * factor, longest_seconds=s.longest_seconds * factor)
            for s in self.steps
        )
        return Saga(self.name, *steps, expected_seconds=self.expected_seconds)

    def _faults(self, position: int, step: Step) -> list[str]:
        commands = [command for command in (step.do, step.undo) if command is not None]
        longest = sum(step.wait(attempt).total_seconds() for attempt in range(1, step.tries + 1))
        checks = {
            "a step before the pivot needs an undo": position < self.pivot and step.undo is None,
            "a step after the pivot cannot have an undo": position > self.pivot and step.undo is not None,
            "a step after the pivot cannot say no": position > self.pivot and step.no is not None,
            "an undo needs its undone, and the other way round": (step.undo is None) != (step.undone is None),
            "its tries take longer than the saga may": longest > self.expected_seconds,
            "it needs at least one try": step.tries < 1,
            **{f"{c.__name__} has no topic or endpoint": c.destination == SUBMITTER for c in commands},
        }
        return [fault for fault, present in checks.items() if present]


@cache
def label_of(reply: type[Body]) -> str:
    """`PaymentCharged` as people read it in `sagas.step`: PAYMENT_CHARGED."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", reply.__name__).upper()
