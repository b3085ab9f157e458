"""Reads what the four databases hold about an id: by keys, in read-only snapshots, the orchestrator's first."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from audit.books import ASKED
from audit.databases import SERVICES, SESSION, Address, Connection, snapshot
from chassis.faults import reason_of
from chassis.records import uuid_of
from ops.explain.facts import ORCHESTRATOR, Row, Trail, awaited, service_of
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definitions import place, said
from saga_orchestrator.instance import Direction, SagaInstance, UnreadableSaga
from saga_orchestrator.queries import read_if_possible

MOST_ENTRIES: Final = 200
BOUNDED: Final = SESSION | {"statement_timeout": "5s"}
UNREADABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

BY_ID = """
select saga_id, case saga_id when $1 then 'saga id' else 'order id' end from sagas where $1 in (saga_id, order_id)"""
BY_KEY = "select saga_id, 'idempotency key' from checkout_requests where idempotency_key = $1"
BY_MESSAGE = "select key, 'message id' from outbox where message_id = $1"
BY_ENTRY = "select saga_id, 'message id' from saga_events where message_id = $1 limit 1"
"""No index helps here. It is the last resort, for what no outbox holds: answers of the order service, time-outs."""

SAGA = f"""
select saga.*, clock_timestamp() as read_at, {ASKED} as asked, (
    select min(at) from saga_events sent where sent.saga_id = saga.saga_id and message_id = awaiting and kind = 'SENT'
) as awaited_since, (select jsonb_object_agg(fingerprint, steps order by created_at) from saga_definitions) as lists
from sagas saga where saga_id = $1"""
LOG = "select * from (select * from saga_events where saga_id = $1 order by seq desc limit $2) last order by seq"
ROWS: Final[Mapping[str, str]] = {
    "order-service": "select * from orders where order_id = $1",
    "payment-service": "select * from payments where order_id = $1",
    "inventory-service": "select * from reservations where order_id = $1",
}
SENT = "select * from outbox where message_id = $1"
REPLY = "select * from outbox where causation_id = $1 order by created_at desc limit 1"
HANDLED = "select exists (select from inbox where message_id = $1)"


@dataclass(frozen=True)
class Databases:
    """Those that can be read, by service, and why the others cannot."""

    open: dict[str, Connection]
    away: dict[str, str]

    async def row(self, service: str, sql: str, value: object) -> Any:
        """The row about this value, if there is one and its database can be read."""
        if not value or service not in self.open:
            return None
        try:
            return await self.open[service].fetchrow(sql, value)
        except asyncpg.PostgresError as error:  # of a table that is missing, for instance
            self.away[service] = reason_of(error)
            del self.open[service]
            return None

    async def find(self, asked: str) -> tuple[UUID | None, str | None]:
        """The saga id that is meant, and what kind of id was given."""
        ways: list[tuple[str, str, object]] = [(ORCHESTRATOR, BY_KEY, asked)]
        if given := uuid_of(asked):
            ways = [(ORCHESTRATOR, BY_ID, given), *ways]
            ways += [(service, BY_MESSAGE, given) for service in SERVICES]
        for service, sql, value in ways:
            if found := await self.row(service, sql, value):
                return found[0], found[1]
        found = await self._entry(given) if given and ORCHESTRATOR in self.open else None
        return (found[0], found[1]) if found else (None, None)

    async def _entry(self, message_id: UUID) -> Any:
        """The entry of a log that has this message, unless it takes too long to find."""
        connection = self.open[ORCHESTRATOR]
        await connection.execute("savepoint before")
        try:
            return await connection.fetchrow(BY_ENTRY, message_id)
        except asyncpg.QueryCanceledError:
            await connection.execute("rollback to before")
            self.away["the log of all sagas"] = "it is too long: give the saga id or the order id"

    async def saga(self, saga_id: UUID | None) -> Row | None:
        """Its row, with the amount that was asked, the moment since when it waits, and its place in today's list."""
        row = await self.row(ORCHESTRATOR, SAGA, saga_id)
        return placed(dict(row)) if row else None

    async def log(self, saga: Row | None) -> list[Any]:
        """The end of its log."""
        return [*await self.open[ORCHESTRATOR].fetch(LOG, saga["saga_id"], MOST_ENTRIES)] if saga else []

    async def rows(self, order_id: UUID | None) -> dict[str, Row | None]:
        """What each participant holds of an order."""
        return {name: await self.row(name, sql, order_id) for name, sql in ROWS.items() if name in self.open}

    async def trail(self, saga: Row | None) -> Trail:
        """Where the awaited command and its reply have been."""
        if not saga or not saga["awaiting"] or saga["place"] is None:
            return Trail()
        receiver = service_of(awaited(saga))
        received = await self.row(receiver, HANDLED, saga["awaiting"])
        reply = await self.row(receiver, REPLY, saga["awaiting"])
        returned = await self.row(ORCHESTRATOR, HANDLED, reply["message_id"]) if reply else None
        return Trail(
            await self.row(ORCHESTRATOR, SENT, saga["awaiting"]),
            received[0] if received else None,
            reply,
            returned is not None and returned[0],
        )


def placed(saga: dict[str, Any]) -> Row:
    """The row of a saga with `place`, its position in today's list; None if that does not have its step.

    Or if the row `cannot_be_read` at all, as the orchestrator reads it.
    """
    lists = orjson.loads(saga["lists"])
    read = read_if_possible({field.name: saga[field.name] for field in fields(SagaInstance)})
    if isinstance(read, UnreadableSaga):
        return saga | {"lists": lists, "place": None, "cannot_be_read": read.why}
    where = lists.get(saga["definition"], ()), saga["position"], Direction(saga["direction"])
    today = saga["position"] if saga["definition"] == CHECKOUT.fingerprint else place(CHECKOUT, *where)
    ended = saga["awaiting"] is None
    return saga | {"lists": lists, "place": saga["position"] if ended else today, "stands_at": said(*where)}


@asynccontextmanager
async def reading(addresses: list[Address]) -> AsyncIterator[Databases]:
    """A snapshot of each database that can be read."""
    opened: dict[str, Connection] = {}
    away: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for service, address in zip(SERVICES, addresses, strict=True):
            try:
                opened[service] = await stack.enter_async_context(snapshot(address, BOUNDED))
            except UNREADABLE as error:
                away[service] = "no answer" if isinstance(error, TimeoutError) else str(error) or repr(error)
        yield Databases(opened, away)
