"""What is known of one checkout: rows as they were read, from which everything else is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from audit.databases import SERVICES
from ops.letters import Letter
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import SagaCommand, Step
from saga_orchestrator.instance import Direction
from saga_orchestrator.saga import command_of

Row: TypeAlias = Mapping[str, Any]

ORCHESTRATOR: Final = "saga-orchestrator"
KAFKA: Final = "Kafka"
PATIENCE: Final = timedelta(seconds=5)
"""What is younger is on its way rather than stuck."""


@dataclass(frozen=True, slots=True)
class Trail:
    """The way of the awaited command and of its reply: the outbox rows, and whether the inboxes have them.

    `received` is None where nobody can say, since the receiver's database is away.
    """

    command: Row | None = None
    received: bool | None = False
    reply: Row | None = None
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read, by the orchestrator's clock."""

    asked: str
    kind: str
    """What the id turned out to be: `saga id`, `order id`, `message id`, `idempotency key`."""
    now: datetime
    saga: Row | None = None
    log: Sequence[Row] = ()
    rows: Mapping[str, Row | None] = field(default_factory=dict)
    """By service, without those whose database is away."""
    trail: Trail = field(default_factory=Trail)
    letters: Sequence[Letter] = ()
    """The open dead letters of this saga or message."""
    retries: Sequence[Letter] = ()
    """Its copies on retry topics, also those that were handled since."""
    away: Mapping[str, str] = field(default_factory=dict)
    """The services whose database cannot be read, and `KAFKA`: why not."""
    unready: Mapping[str, str] = field(default_factory=dict)
    """The services whose /readyz is not well: what it says."""
    orchestrator: str = "http://localhost:4000"
    """Where an operator's actions go."""

    @property
    def known(self) -> bool:
        """Whether anything is known by this id."""
        return bool(self.saga or self.letters or any(self.rows.values()))

    @property
    def unread(self) -> list[str]:
        """What could not be read, with the reason."""
        return [f"{f'the database of {n}' if n in SERVICES else n} ({why})" for n, why in self.away.items()]

    @property
    def running(self) -> bool:
        """Whether a saga waits for something."""
        return self.saga is not None and self.saga["status"] == "RUNNING" and not self.elsewhere

    @property
    def elsewhere(self) -> bool:
        """Whether it stands at a step that the list of this version does not have."""
        return self.saga is not None and self.saga["place"] is None


def step_of(saga: Row) -> Step:
    """Where a saga stands."""
    return CHECKOUT.steps[saga["place"]]


def awaited(saga: Row) -> type[SagaCommand]:
    """The command whose reply it waits for."""
    return command_of(step_of(saga), Direction(saga["direction"]))


def service_of(command: type[SagaCommand]) -> str:
    """Who receives it: `payment.charge.command` belongs to payment-service, as `order-service` does to itself."""
    return f"{command.participant()}-service"


def over_http(command: type[SagaCommand]) -> bool:
    """Whether it is a call, whose answer is the reply."""
    return command.destination == service_of(command)


RECEIVERS: Final = {c.__name__: service_of(c) for s in CHECKOUT.steps for c in (s.do, s.undo) if c}
SENDERS: Final = {r.__name__: service_of(s.do) for s in CHECKOUT.steps for r in (s.yes, s.no, s.undone) if r}
UNDOS: Final = frozenset(step.undo.__name__ for step in CHECKOUT.steps if step.undo)
