"""The lists of steps that sagas were written under, as the engine can use them, though their messages may be gone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Self

import asyncpg
import orjson

from audit.databases import Connection
from chassis.messages import Body, Event
from saga_orchestrator import instance, messages
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga, SagaCommand, Start, Step
from saga_orchestrator.definitions import Steps, place
from saga_orchestrator.instance import SagaInstance

BODIES: Mapping[str, type[Body]] = {
    name: kind
    for module in (messages, instance)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Body)
}


class GoneCommand(SagaCommand):
    """A command that this version does not know any more."""

    destination: ClassVar[str] = "gone"

    @classmethod
    def of(cls, start: Start) -> Self:
        """Its saga is all that is known of it."""
        return cls(saga_id=start.saga_id)


class GoneEvent(Event):
    """A reply that this version does not know any more."""

    destination: ClassVar[str] = "gone"
    reason: str | None = None


@dataclass(frozen=True)
class Lists:
    """Every list that sagas were ever written under, by its fingerprint, the oldest first."""

    stored: Mapping[str, Steps]

    @classmethod
    async def read(cls, connection: Connection) -> Self:
        """What the orchestrator has stored."""
        rows = await connection.fetch("select fingerprint, steps from saga_definitions order by created_at")
        return cls({row["fingerprint"]: orjson.loads(row["steps"]) for row in rows})

    def of(self, fingerprint: str) -> Saga:
        """The list with this fingerprint; today's, if it is stored nowhere."""
        return _usable(fingerprint, orjson.dumps(self.stored[fingerprint])) if fingerprint in self.stored else CHECKOUT

    def beginning_with(self, fingerprint: str | None) -> Iterator[Saga]:
        """All of them, this one first."""
        first = [fingerprint] if fingerprint else []
        yield from (self.of(each) for each in dict.fromkeys([*first, *self.stored, CHECKOUT.fingerprint]))

    def moved(self, saga: SagaInstance, definition: Saga) -> SagaInstance | None:
        """The saga at its place in this list; None if it has none there."""
        if saga.definition == definition.fingerprint:
            return saga
        steps = [step.described() for step in self.of(saga.definition).steps]
        position = place(definition, steps, saga.position, saga.direction)
        return None if position is None else replace(saga, position=position, definition=definition.fingerprint)


def body_of(entry: "Mapping[str, Any] | asyncpg.Record") -> Body:
    """The message of an entry of a log."""
    kind: type[Body] = _kind(entry["type"], GoneEvent)
    return kind.model_validate_json(entry["body"])


@cache
def _usable(fingerprint: str, steps: bytes) -> Saga:
    """A stored list as one that the engine can use."""
    definition = Saga("stored", *(_step(**step) for step in orjson.loads(steps)))
    definition.fingerprint = fingerprint
    return definition


def _step(*, do: str, undo: str | None = None, **known: Any) -> Step:
    replies = {role: _kind(known.pop(role), GoneEvent) for role in ("yes", "no", "undone") if role in known}
    return Step(do=_kind(do, GoneCommand), undo=_kind(undo, GoneCommand) if undo else None, **replies, **known)


@cache
def _kind(name: str, otherwise: type[Body]) -> Any:
    """The message type of this name; one made up, if this version has none."""
    return BODIES.get(name) or type(name, (otherwise,), {"__module__": __name__})
