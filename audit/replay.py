"""One saga's log, replayed through the engine: what it says, and where it contradicts the stored row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from audit.databases import Connection
from audit.lists import Lists, body_of
from chassis.errors import Hopeless
from chassis.messages import Message
from saga_orchestrator.definition import Saga
from saga_orchestrator.instance import Kind, LogEntry, SagaInstance, UnreadableSaga
from saga_orchestrator.queries import read_if_possible
from saga_orchestrator.saga import IllegalTransition, decide

Row: TypeAlias = "Mapping[str, Any] | asyncpg.Record"
Key: TypeAlias = tuple[int, str, str, UUID]

AT_ONCE = 1_000
NOBODY = UUID(int=0)
COMPARED = ("status", "step", "position", "direction", "awaiting", "attempt", "reason", "seq")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a saga's row and log say; the same for all sagas that went the same way."""

    status: str
    step: str
    sent: frozenset[str]
    received: frozenset[str]
    faults: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it is terminal."""
        return self.status != "RUNNING"

    @property
    def by_hand(self) -> bool:
        """Whether an operator ended it and answers for what it left behind."""
        return "Resolve" in self.received


async def shapes_of(connection: Connection, saga_ids: Sequence[UUID]) -> dict[UUID, Shape]:
    """The shapes of these sagas."""
    shapes = {}
    lists = await Lists.read(connection)
    for start in range(0, len(saga_ids), AT_ONCE):
        some = saga_ids[start : start + AT_ONCE]
        logs: dict[UUID, list[Any]] = {saga_id: [] for saga_id in some}
        for entry in await connection.fetch(
            "select * from saga_events where saga_id = any($1) order by saga_id, seq", some
        ):
            logs[entry["saga_id"]].append(entry)
        for row in await connection.fetch("select * from sagas where saga_id = any($1)", some):
            found = shape(row, logs[row["saga_id"]], lists)
            shapes[row["saga_id"]] = replace(found, faults=(*_unreadable(row), *found.faults))
    return shapes


def _unreadable(row: Row) -> Iterator[str]:
    read = read_if_possible({field.name: row[field.name] for field in fields(SagaInstance)})
    if isinstance(read, UnreadableSaga):
        yield f"its row {read.why}"


def shape(row: Row, log: Sequence[Row], lists: Lists) -> Shape:
    """The shape of one saga; its log is judged by the lists that it was written under."""
    types = {kind: frozenset(entry["type"] for entry in log if entry["kind"] == kind) for kind in Kind}
    return Shape(row["status"], row["step"], types[Kind.SENT], types[Kind.RECEIVED], tuple(_faults(row, log, lists)))


def _faults(row: Row, log: Sequence[Row], lists: Lists) -> Iterator[str]:
    """Fold `decide` over the log, then compare; the first difference is the fault."""
    try:
        saga = _fold(log, lists)
    except (IllegalTransition, Hopeless, ValueError, LookupError) as error:
        yield f"its log cannot have happened: {error}"
        return
    if saga is None:
        yield "it has no log"
        return
    if saga.definition != row["definition"]:
        saga = lists.moved(saga, lists.of(row["definition"])) or saga
    for name in COMPARED:
        if row[name] != getattr(saga, name):
            yield f"its {name} is {row[name]}, its log says {getattr(saga, name)}"


def _fold(log: Sequence[Row], lists: Lists) -> SagaInstance | None:
    """The saga that this log makes; ValueError says which entry is not what the engine would have written."""
    saga: SagaInstance | None = None
    done = 0
    while done < len(log):
        saga, entries = _next(saga, log[done:], lists)
        done += len(entries)
    return saga


def _next(saga: SagaInstance | None, log: Sequence[Row], lists: Lists) -> tuple[SagaInstance, Sequence[LogEntry]]:
    """What the engine makes of the first entry, by the list of the entries before; if that does not say what follows
    in the log, by another of the lists that there have been.
    """
    refusal: Exception | None = None
    for definition in lists.beginning_with(saga.definition if saga else None):
        here = lists.moved(saga, definition) if saga and saga.awaiting else saga
        if saga and not here:
            continue
        try:
            return _decided(definition, here, log)
        except (IllegalTransition, Hopeless, ValueError) as error:
            refusal = refusal or error
    raise refusal or ValueError("it stands where no list of steps has a place")


def _decided(
    definition: Saga, saga: SagaInstance | None, log: Sequence[Row]
) -> tuple[SagaInstance, Sequence[LogEntry]]:
    """Decide on the first entry again, as it was decided then; what follows it in the log names the new command."""
    entry = log[0]
    if entry["kind"] == Kind.SENT:
        raise ValueError(f"{entry['kind']} {entry['type']} out of nothing")
    message = Message(body_of(entry), entry["message_id"], entry["causation_id"])
    command_id = log[1]["message_id"] if len(log) > 1 and log[1]["kind"] == Kind.SENT else NOBODY
    decision = decide(definition, saga, message, entry["at"], command_id)
    expected = [(entry.seq, entry.kind, entry.message.type, entry.message.id) for entry in decision.log]
    stored = [_key(entry) for entry in log[: len(expected)]]
    if not expected or expected != stored:
        raise ValueError(f"it has {_say(stored)} where {_say(expected)} belongs")
    return decision.saga, decision.log


def _key(entry: Row) -> Key:
    return entry["seq"], entry["kind"], entry["type"], entry["message_id"]


def _say(entries: Sequence[Key]) -> str:
    return ", ".join(f"{seq} {kind} {name} {message_id}" for seq, kind, name, message_id in entries) or "nothing"
