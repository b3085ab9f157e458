"""Messages in, commands out: the orchestrator's decider."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Counter
from uuid_utils.compat import uuid7

from chassis.database import Connection
from chassis.messages import Message
from saga_orchestrator import queries, saga
from saga_orchestrator.definition import Saga
from saga_orchestrator.messages import StartCheckout
from saga_orchestrator.saga import Kind, LogEntry, SagaInstance, Status

log = structlog.get_logger()

ended = Counter("sagas_ended", "Sagas that came to their end", ["status", "step"])
late = Counter("late_messages", "Replies and timeouts that came too late to count", ["type"])


@dataclass(frozen=True, slots=True)
class Checkout:
    """A saga and what this batch adds to its log."""

    saga: SagaInstance
    log: tuple[LogEntry, ...] = ()


class Checkouts:
    """Decides over rows of `sagas`."""

    def __init__(self, definition: Saga) -> None:
        self._definition = definition

    def key(self, message: Message) -> UUID:
        """One saga."""
        return message.key

    async def load(self, connection: Connection, keys: list[UUID]) -> dict[UUID, Checkout]:
        """Lock the sagas."""
        return {key: Checkout(found) for key, found in (await queries.lock_sagas(connection, keys)).items()}

    def decide(self, row: Checkout | None, message: Message, now: datetime) -> tuple[Checkout, list[Message]]:
        """Ask the engine."""
        decision = saga.decide(self._definition, row.saga if row else None, message, now, command_id=uuid7())
        if row and not decision.log:
            return row, []
        return Checkout(decision.saga, (row.log if row else ()) + decision.log), list(decision.outgoing)

    async def save(self, connection: Connection, rows: list[Checkout]) -> None:
        """Write the sagas, their logs, and the idempotency keys of the new ones."""
        await queries.save_sagas(connection, [row.saga for row in rows])
        await queries.append_log(connection, [entry for row in rows for entry in row.log])
        new = [row.saga.start for row in rows if row.saga.version == 0]
        if keyed := [s for s in new if isinstance(s, StartCheckout) and s.idempotency_key is not None]:
            await queries.keep_requests(connection, keyed)


def note(rows: list[Checkout]) -> None:
    """Count and log what a committed batch brought to an end."""
    for row in rows:
        for entry in row.log:
            if entry.kind is Kind.LATE:
                late.labels(entry.message.type).inc()
                log.info("too late to count", type=entry.message.type, **ids(row.saga, entry.message))
        if row.saga.status is not Status.RUNNING and row.log[-1].kind is Kind.RECEIVED:
            ended.labels(row.saga.status, row.saga.step).inc()
            log.info("saga ended", status=row.saga.status, step=row.saga.step, **ids(row.saga, row.log[-1].message))


def ids(instance: SagaInstance, message: Message) -> dict[str, str]:
    """What every log line about a saga carries."""
    return {"saga_id": str(instance.saga_id), "message_id": str(message.id)}
