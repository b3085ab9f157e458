"""Reads the four databases about a set of sagas and says in words where they disagree."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from tests.support.databases import Databases

Statuses: TypeAlias = Collection[str | None]
Rows: TypeAlias = Mapping[Any, Mapping[str, Any]]

ENDINGS: dict[tuple[str, str], tuple[Statuses, Statuses, Statuses]] = {
    # saga                              order           payment        reservation
    ("COMPLETED", "ORDER_CONFIRMED"): (("CONFIRMED",), ("CHARGED",), ("RESERVED",)),
    ("FAILED", "PAYMENT_FAILED"): (("CANCELLED",), ("FAILED",), (None,)),
    ("FAILED", "INVENTORY_FAILED"): (("CANCELLED",), ("REFUNDED",), ("FAILED",)),
}
UNDONE = (("CANCELLED", None), ("REFUNDED", "FAILED", "VOIDED", None), ("RELEASED", "FAILED", "VOIDED", None))


@dataclass(frozen=True)
class Books:
    """What the four databases hold about one saga; None where there is no row."""

    saga_id: UUID
    order_id: UUID
    status: str
    step: str
    order: str | None
    payment: str | None
    reservation: str | None
    total_amount: Decimal | None
    amount: Decimal | None
    log: tuple[int, ...]

    @property
    def statuses(self) -> tuple[str | None, ...]:
        return self.status, self.step, self.order, self.payment, self.reservation


async def books(databases: Databases, saga_ids: Collection[str | UUID]) -> list[Books]:
    """One entry for each of these sagas that exists, one query for each table."""
    sagas = await databases.orchestrator.fetch(
        """select saga_id, order_id, status, step,
                  array(select seq from saga_events e where e.saga_id = s.saga_id order by seq) as log
             from sagas s where saga_id = any($1::uuid[])""",
        list(saga_ids),
    )
    ids = [saga["order_id"] for saga in sagas]
    orders = await databases.order.fetch("select * from orders where order_id = any($1)", ids)
    payments = await databases.payment.fetch("select * from payments where order_id = any($1)", ids)
    reservations = await databases.inventory.fetch("select * from reservations where order_id = any($1)", ids)
    order_of: Rows = {row["order_id"]: dict(row) for row in orders}
    payment_of: Rows = {(row["order_id"], row["saga_id"]): dict(row) for row in payments}
    reservation_of: Rows = {(row["order_id"], row["saga_id"]): dict(row) for row in reservations}

    def book(saga_id: UUID, order_id: UUID, status: str, step: str, log: list[int]) -> Books:
        order = order_of.get(order_id, {})
        payment = payment_of.get((order_id, saga_id), {})
        reservation = reservation_of.get((order_id, saga_id), {})
        statuses = order.get("status"), payment.get("status"), reservation.get("status")
        money = order.get("total_amount"), payment.get("amount")
        return Books(saga_id, order_id, status, step, *statuses, *money, log=tuple(log))

    return [book(**saga) for saga in sagas]


async def disagreements(databases: Databases, saga_ids: Collection[str | UUID]) -> list[str]:
    """Every way in which the four databases contradict each other about these sagas, one sentence each."""
    wanted = {UUID(str(saga_id)) for saga_id in saga_ids}
    found = await books(databases, wanted)
    lost = wanted - {book.saga_id for book in found}
    return [
        *(f"saga {saga_id} is lost" for saga_id in lost),
        *(f"saga {book.saga_id}: {problem}" for book in found for problem in _problems(book)),
        *await _strays(databases, found),
    ]


def _problems(book: Books) -> Iterator[str]:
    if book.status == "RUNNING":
        yield f"still RUNNING at {book.step}"
        return
    if book.status == "COMPLETED" and book.step != "ORDER_CONFIRMED":
        yield f"COMPLETED at {book.step}"
    names = ("order", "payment", "reservation")
    allowed = ENDINGS.get((book.status, book.step), UNDONE)
    for name, status, expected in zip(names, book.statuses[2:], allowed, strict=True):
        if status not in expected:
            yield f"{book.status} at {book.step}, but its {name} is {status}"
    if book.amount is not None and book.amount != book.total_amount:
        yield f"the order is about {book.total_amount}, the payment about {book.amount}"
    if book.log != tuple(range(1, len(book.log) + 1)) or not book.log:
        yield f"its log is numbered {book.log}"


async def _strays(databases: Databases, found: list[Books]) -> list[str]:
    """Charges and reservations that name one of these sagas but not its order."""
    order_of = {book.saga_id: book.order_id for book in found}
    query = "select saga_id, order_id from {} where saga_id = any($1)"
    rows = [
        *await databases.payment.fetch(query.format("payments"), list(order_of)),
        *await databases.inventory.fetch(query.format("reservations"), list(order_of)),
    ]
    return [
        f"saga {saga_id}: a row for order {order_id}, which is not its own"
        for saga_id, order_id in rows
        if order_of[saga_id] != order_id
    ]


async def orders_of(databases: Databases, users: Collection[str]) -> set[str]:
    """The ids of all orders of these users, whoever made them."""
    rows = await databases.order.fetch("select order_id from orders where user_id = any($1)", list(users))
    return {str(row["order_id"]) for row in rows}
