"""Messages in, commands out: the orchestrator's decider."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter
from uuid_utils.compat import uuid7

from chassis.decider import Decider
from chassis.messages import Message
from chassis.writes import Write
from saga_orchestrator import queries
from saga_orchestrator.definition import Start
from saga_orchestrator.definitions import Definitions
from saga_orchestrator.instance import Kind, LogEntry, Resolve, SagaInstance, Status
from saga_orchestrator.messages import checkout_of
from saga_orchestrator.saga import decide

log = structlog.get_logger()

ended = Counter("sagas_ended", "Sagas that came to their end", ["status", "step"])
late = Counter("late_messages", "Replies and timeouts that came too late to count", ["type"])


@dataclass(frozen=True, slots=True)
class Checkout:
    """A saga and what this batch adds to its log."""

    saga: SagaInstance
    log: tuple[LogEntry, ...] = ()


class Checkouts(Decider[Checkout]):
    """Decides over rows of `sagas`."""

    LOAD = queries.LOAD
    BEGINS = (Start,)

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def key(self, message: Message) -> UUID:
        """One saga."""
        return message.key

    def read(self, record: Mapping[str, Any]) -> Checkout:
        """A row of `sagas`; `NotInTheList` if another version has to go on with it."""
        return Checkout(self._definitions.here(queries.read(record)))

    def decide(self, row: Checkout | None, message: Message, now: datetime) -> tuple[Checkout, list[Message]]:
        """Ask the engine."""
        decision = decide(self._definitions.today, row.saga if row else None, message, now, command_id=uuid7())
        if row and not decision.log:
            return row, []
        return Checkout(decision.saga, (row.log if row else ()) + decision.log), list(decision.outgoing)

    def save(self, rows: list[Checkout]) -> list[Write]:
        """The sagas, their logs, the idempotency keys of the new ones."""
        new = [row.saga for row in rows if row.saga.version == 0]
        known = [row.saga for row in rows if row.saga.version]
        keyed = [start for saga in new if (start := checkout_of(saga)).idempotency_key]
        return [
            *([queries.insert_sagas(new)] if new else []),
            *([queries.update_sagas(known)] if known else []),
            queries.append_log([entry for row in rows for entry in row.log]),
            *([queries.keep_requests(keyed)] if keyed else []),
        ]

    def withdraws(self, row: Checkout) -> bool:
        """What an operator has settled by hand needs no more commands."""
        return any(isinstance(entry.message.body, Resolve) for entry in row.log)

    def remembered(self, row: Checkout) -> Checkout | None:
        """Its log is written; a saga that has ended hears little more."""
        if row.saga.status is not Status.RUNNING:
            return None
        return Checkout(replace(row.saga, version=row.saga.version + 1))


def note(rows: list[Checkout]) -> None:
    """Count and log what a committed batch brought to an end."""
    for row in rows:
        for entry in row.log:
            if entry.kind is Kind.LATE:
                late.labels(entry.message.type).inc()
                log.info("too late to count", type=entry.message.type, **ids(row.saga, entry.message))
        counted = [entry for entry in row.log if entry.kind is Kind.RECEIVED]
        if row.saga.status is not Status.RUNNING and counted:
            ended.labels(row.saga.status, row.saga.step).inc()
            log.info("saga ended", status=row.saga.status, step=row.saga.step, **ids(row.saga, counted[-1].message))


def ids(instance: SagaInstance, message: Message) -> dict[str, str]:
    """What every log line about a saga carries."""
    return {"saga_id": str(instance.saga_id), "message_id": str(message.id)}
