"""Bugs, and for each the circumstance in which it bites; the same circumstance does the product no harm."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from local.instance import ORCHESTRATOR, PAYMENT, Service
from tests.chaos.faults import broken
from tests.chaos.system import System
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.topics import empty
from tests.support.wire import CHARGED, PAYMENT_FAILED, REFUND

Circumstance: TypeAlias = Callable[[System], Awaitable[str]]
"""Brings it about and returns the id of the saga that it befalls."""

SETTINGS = {
    "STEP_TIMEOUT_SCALE": "0.2",
    "RETRY_DELAYS_SECONDS": '{"5s": 2, "30s": 2, "5m": 2}',
    "RELAY_LEASE_SECONDS": "10",
}
"""Of the services with and without a bug. With this lease nothing is sent twice only because it was not yet marked."""


@dataclass(frozen=True, eq=False)
class Bug:
    """One part of a service swapped by the module, and the invariants that are then violated."""

    module: str
    service: Service
    circumstance: Circumstance
    violates: Collection[str]
    proves: pytest.MarkDecorator

    def __str__(self) -> str:
        return self.module


async def charge_after_its_refund(system: System) -> str:
    """The charge cannot be handled and waits on a retry topic; the saga is cancelled and ends before its next try."""
    async with broken(system, PAYMENT, "payments", "new.status = 'CHARGED'"):
        saga_id = await system.checkout()

        async def parked() -> None:
            assert await system[PAYMENT].metric("parked_messages_total")

        await eventually(parked)
        await system.operate(saga_id, "cancel")
        await system.ended(saga_id)
    await system.wire.heard(saga_id, CHARGED, PAYMENT_FAILED)
    return saga_id


async def refund_lost(system: System) -> str:
    """The payment service dies after the charge; when it is back, the refund is no longer on its topic."""
    payment = system[PAYMENT]
    await payment.arm("relay.acknowledged@PaymentCharged")
    saga_id = await system.checkout({"forcePaymentFail": False, "forceInventoryFail": True})
    await payment.crashed("relay.acknowledged@PaymentCharged", within=30)
    await system.sent(ORCHESTRATOR, "RefundPayment", [saga_id])
    await empty(REFUND)
    payment.start()
    await payment.ready()

    async def ended_or_overdue() -> None:
        query = "select status <> 'RUNNING' or deadline < now() - interval '1 s' from sagas where saga_id = $1"
        assert await system.databases.orchestrator.fetchval(query, saga_id)

    await eventually(ended_or_overdue, within=60)
    return saga_id


async def late_reply_and_a_crash(system: System) -> str:
    """The orchestrator dies while it handles a reply that nobody asks for again, as the saga has been cancelled."""
    orchestrator = system[ORCHESTRATOR]
    async with system[PAYMENT].frozen():
        saga_id = await system.checkout()
        await system.reaches(saga_id, step=["ORDER_CREATED"])
        await system.operate(saga_id, "cancel")
        await orchestrator.arm("batch.before_commit@PaymentCharged")
    await orchestrator.crashed("batch.before_commit@PaymentCharged", within=30)
    orchestrator.start()
    await orchestrator.ready()
    await system.ended(saga_id)
    return saga_id


async def forget(databases: Databases, saga_id: str) -> None:
    """Remove what a bug has left, so that the next audit finds only what is its own."""
    orchestrator = databases.orchestrator
    order_id = await orchestrator.fetchval("select order_id from sagas where saga_id = $1", saga_id)
    for table in ("saga_events", "checkout_requests", "sagas"):
        await orchestrator.execute(f"delete from {table} where saga_id = $1", saga_id)
    for pool in (orchestrator, databases.payment, databases.inventory):
        await pool.execute("delete from outbox where key = $1", saga_id)
    await databases.order.execute("delete from orders where order_id = $1", order_id)
    await databases.payment.execute("delete from payments where order_id = $1", order_id)
    await databases.inventory.execute("delete from reservations where order_id = $1", order_id)


BUGS = (
    Bug(
        "acknowledges_first",
        ORCHESTRATOR,
        late_reply_and_a_crash,
        {"I9"},
        pytest.mark.proves("bug-early-ack"),
    ),
    Bug(
        "no_tombstone",
        PAYMENT,
        charge_after_its_refund,
        {"I2", "I7"},
        pytest.mark.proves("bug-no-tombstone"),
    ),
    Bug(
        "undo_not_repeated",
        ORCHESTRATOR,
        refund_lost,
        {"I5"},
        pytest.mark.proves("bug-dropped-compensation"),
    ),
    Bug(
        "undo_given_up",
        ORCHESTRATOR,
        refund_lost,
        {"I2", "I8"},
        pytest.mark.proves("bug-dropped-compensation"),
    ),
)
