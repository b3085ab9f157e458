"""Checkouts of the orchestrator on a database of a test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import uuid4

from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.loops import background
from chassis.messages import Body, Message
from chassis.settings import Settings
from saga_orchestrator import queries
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definitions import Definitions
from saga_orchestrator.handlers import Checkout, Checkouts
from saga_orchestrator.instance import SagaInstance
from saga_orchestrator.messages import SENDS, OrderCancelled, OrderCreated, PaymentFailed, StartCheckout

AMOUNT = Decimal("19.99")


@asynccontextmanager
async def replica(pool: Pool, settings: Settings) -> AsyncIterator[Batcher[Checkout]]:
    batcher = Batcher(pool, Checkouts(Definitions(CHECKOUT, pool, settings)), settings, SENDS)
    async with background(batcher=batcher.run):
        yield batcher


def a_start(key: str | None = None) -> StartCheckout:
    return StartCheckout(saga_id=uuid4(), order_id=uuid4(), user_id="alice", total_amount=AMOUNT, idempotency_key=key)


async def tell(batcher: Batcher[Checkout], body: Body, cause: Message | None = None) -> SagaInstance:
    message = cause.cause(body) if cause else Message.new(body)
    handled = await batcher.submit(message)
    assert handled.row is not None
    return handled.row.saga


async def fail_at_the_payment(batcher: Batcher[Checkout], start: StartCheckout) -> SagaInstance:
    ids = {"saga_id": start.saga_id, "order_id": start.order_id}
    await tell(batcher, start)
    await tell(batcher, OrderCreated(saga_id=start.saga_id))
    await tell(batcher, PaymentFailed(**ids, amount=AMOUNT, reason="DECLINED"))
    return await tell(batcher, OrderCancelled(saga_id=start.saga_id))


async def stored(pool: Pool, start: StartCheckout) -> SagaInstance:
    (saga,) = await queries.find_sagas(pool, [start.saga_id])
    assert isinstance(saga, SagaInstance)
    return saga
