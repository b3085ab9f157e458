"""The four databases side by side, order by order, counted by what they say.

A million orders say only a few dozen different things, so every rule is asked once for each different thing.
"""

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias
from uuid import UUID

from audit.databases import Connection, Snapshots
from audit.replay import Shape, shapes_of
from audit.streams import Row, blocks, merge

KEPT = 10_000
"""Of how many orders of one kind the ids are remembered."""

ORDER = ("PENDING", "CONFIRMED", "CANCELLED")
PAYMENT = ("CHARGED", "FAILED", "REFUNDED", "VOIDED")
RESERVATION = ("RESERVED", "FAILED", "RELEASED", "VOIDED")

ASKED = (
    "case jsonb_typeof(start -> 'totalAmount') when 'number' then least((start ->> 'totalAmount')::numeric, 1e12) end"
)
"""The amount of a saga, if it has one: a row that is damaged keeps nobody from looking at the others."""
SAGAS = """
with entries as (
    select saga_id, seq, seq || left(kind, 1) || type || case
        when causation_id is null then ''
        when causation_id = lag(message_id) over log then '<'
        else '<' || coalesce((select max(cause.seq)::text from saga_events cause
                              where cause.saga_id = entry.saga_id and cause.message_id = entry.causation_id
                                and cause.seq < entry.seq), '?')
    end as entry
    from saga_events entry {entries}
    window log as (partition by saga_id order by seq)
), shapes as (
    select saga_id, string_agg(entry, ' ' order by seq) as shape from entries group by saga_id
)
select order_id, saga_id,
    hashtextextended(concat_ws('|', status, step, definition, position, direction, attempt, seq,
        needs_attention is null, case when status = 'RUNNING' then awaiting = (
            select message_id from saga_events sent where sent.saga_id = saga.saga_id and kind = 'SENT'
            order by seq desc limit 1) end,
        shape), 0),
    coalesce({asked} * 100, -1)::int8
from sagas saga left join shapes using (saga_id) {sagas} order by order_id"""

STATUS = "coalesce(array_position(array{}, status), 9)::int2"
ORDERS = f"""
select order_id, {STATUS.format(list(ORDER))}, (total_amount * 100)::int8 from orders {{rows}} order by order_id"""
PAYMENTS = f"""
select order_id, {STATUS.format(list(PAYMENT))}, coalesce(amount * 100, -1)::int8, saga_id
from payments {{rows}} order by order_id"""
RESERVATIONS = f"""
select order_id, {STATUS.format(list(RESERVATION))}, saga_id from reservations {{rows}} order by order_id"""

BY_ORDER = "where order_id = any($1::uuid[])"
BY_SAGA = f"where saga_id in (select saga_id from sagas {BY_ORDER})"

NO_SAGA = (b"", b"", None, -1)
NO_ORDER = (b"", 0, -1)
NO_PAYMENT = (b"", 0, -1, b"")
NO_RESERVATION = (b"", 0, b"")

Ids: TypeAlias = tuple[bytes, bytes]
Signature: TypeAlias = tuple[int | None, int, int, int, bool, bool]
AsyncRows: TypeAlias = AsyncGenerator[list[Row], None]


@dataclass(frozen=True, slots=True)
class Case:
    """What the four databases say about an order, its ids and amounts left out."""

    saga: Shape | None
    order: str | None
    payment: str | None
    reservation: str | None
    same_amount: bool
    same_saga: bool


@dataclass(slots=True)
class Group:
    """The orders of one case: how many, whose, and the sums of their money in cents."""

    count: int = 0
    paid: int = 0
    ordered: int = 0
    kept: list[Ids] = field(default_factory=list)

    @property
    def ids(self) -> list[tuple[UUID, UUID | None]]:
        """(order id, saga id) of the first ones."""
        return [(UUID(bytes=order), UUID(bytes=saga) if saga else None) for order, saga in self.kept]


Books: TypeAlias = list[tuple[Case, Group]]


async def read(snapshots: Snapshots, only: Collection[UUID] | None = None) -> Books:
    """Every case there is; or those of these orders."""
    groups = await _count(snapshots, only)
    saga_of = {key[0]: UUID(bytes=group.kept[0][1]) for key, group in groups.items() if key[0] is not None}
    shapes = await shapes_of(snapshots.orchestrator, list(saga_of.values()))
    return [
        (
            Case(
                shapes[saga_of[signature]] if signature is not None else None,
                _name(ORDER, order),
                _name(PAYMENT, payment),
                _name(RESERVATION, reservation),
                same_amount,
                same_saga,
            ),
            group,
        )
        for (signature, order, payment, reservation, same_amount, same_saga), group in groups.items()
    ]


async def _count(snapshots: Snapshots, only: Collection[UUID] | None) -> dict[Signature, Group]:
    args = () if only is None else (list(only),)
    rows, entries = ("", "") if only is None else (BY_ORDER, BY_SAGA)

    def side(connection: Connection, query: str, columns: str) -> AsyncRows:
        return blocks(
            connection, query.format(rows=rows, sagas=rows, entries=entries, asked=ASKED), *args, columns=columns
        )

    groups: dict[Signature, Group] = {}
    async for sagas, orders, payments, reservations in merge(
        side(snapshots.orchestrator, SAGAS, "uuid uuid int8 int8"),
        side(snapshots.order, ORDERS, "uuid int2 int8"),
        side(snapshots.payment, PAYMENTS, "uuid int2 int8 uuid"),
        side(snapshots.inventory, RESERVATIONS, "uuid int2 uuid"),
    ):
        for key in dict.fromkeys(chain(sagas, orders, payments, reservations)):
            _, saga_id, signature, asked = sagas.get(key, NO_SAGA)
            _, order, ordered = orders.get(key, NO_ORDER)
            _, payment, paid, payer = payments.get(key, NO_PAYMENT)
            _, reservation, holder = reservations.get(key, NO_RESERVATION)
            same_amount = len({asked, ordered, paid} - {-1}) < 2
            same_saga = len({saga_id, payer, holder} - {b""}) < 2
            case = (signature, order, payment, reservation, same_amount, same_saga)
            group = groups.get(case) or groups.setdefault(case, Group())
            group.count += 1
            group.paid += paid
            group.ordered += ordered
            if len(group.kept) < KEPT:
                group.kept.append((key, saga_id or payer or holder))
    return groups


def _name(statuses: tuple[str, ...], code: int) -> str | None:
    """The status behind a code: 0 is no row, 9 is one that should not be."""
    return None if code == 0 else statuses[code - 1] if code <= len(statuses) else "UNKNOWN"
