"""The orchestrator on its database: what is stored tells the whole story."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import asyncpg
import pytest

from chassis.database import Pool
from chassis.messages import Command, Message, by_type
from chassis.settings import Settings
from saga_orchestrator import queries
from saga_orchestrator import saga as engine
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.instance import Cancel, Resolve, Retry, SagaInstance, TimedOut
from saga_orchestrator.messages import OrderCancelled, OrderCreated, PaymentFailed, StartCheckout
from saga_orchestrator.saga import IllegalTransition
from tests.integration.checkouts import a_start, fail_at_the_payment, replica, stored, tell

RECEIVED = by_type([StartCheckout, OrderCreated, OrderCancelled, PaymentFailed, Cancel, Retry, TimedOut])


async def replayed(sagas: Pool, start: StartCheckout) -> SagaInstance | None:
    """The saga that the stored log tells of."""
    saga = None
    log = await queries.find_log(sagas, start.saga_id)
    for entry, following in zip(log, [*log[1:], None], strict=True):
        if entry["kind"] != "SENT":
            sent = following["message_id"] if following and following["kind"] == "SENT" else uuid4()
            body = RECEIVED[entry["type"]].model_validate(entry["body"])
            message = Message(body, entry["message_id"], entry["causation_id"])
            saga = engine.decide(CHECKOUT, saga, message, entry["at"], sent).saga
    return saga


async def test_a_checkout_is_stored_with_its_key_its_log_and_its_first_command(sagas: Pool, settings: Settings) -> None:
    start = a_start("a key")
    async with replica(sagas, settings) as batcher:
        saga = await tell(batcher, start)
    assert (await stored(sagas, start)).awaiting == saga.awaiting
    assert await sagas.fetchval("select message_id from outbox where type = 'CreateOrder'") == saga.awaiting
    kept = await sagas.fetchrow("select * from checkout_requests")
    assert kept is not None
    assert (kept["idempotency_key"], kept["saga_id"]) == ("a key", start.saga_id)
    kinds = [(entry["kind"], entry["type"]) for entry in await queries.find_log(sagas, start.saga_id)]
    assert kinds == [("RECEIVED", "StartCheckout"), ("SENT", "CreateOrder")]


async def test_the_stored_log_replays_to_the_stored_saga(sagas: Pool, settings: Settings) -> None:
    start = a_start()
    async with replica(sagas, settings) as batcher:
        saga = await tell(batcher, start)
        assert saga.awaiting is not None
        await tell(batcher, TimedOut(saga_id=start.saga_id, awaiting=saga.awaiting, attempt=1))
        await tell(batcher, Retry(saga_id=start.saga_id, reason="now"))
        await tell(batcher, OrderCreated(saga_id=start.saga_id))
        await tell(batcher, OrderCreated(saga_id=start.saga_id))
        await tell(batcher, Cancel(saga_id=start.saga_id, reason="no"))
    saga = await stored(sagas, start)
    again = await replayed(sagas, start)
    assert again is not None
    assert replace(again, version=saga.version) == saga


async def test_two_replicas_that_get_the_same_key_begin_one_saga(sagas: Pool, settings: Settings) -> None:
    start = a_start("a key")
    async with replica(sagas, settings) as one, replica(sagas, settings) as other:
        first, second = await asyncio.gather(tell(one, start), tell(other, start))
    assert first.awaiting == second.awaiting
    assert await sagas.fetchval("select count(*) from outbox") == 1
    assert await sagas.fetchval("select count(*) from saga_events") == 2


@pytest.mark.parametrize("action", [Cancel, Retry])
async def test_an_operator_who_comes_too_late_changes_nothing(
    sagas: Pool, settings: Settings, action: type[Command]
) -> None:
    start = a_start()
    async with replica(sagas, settings) as batcher:
        await fail_at_the_payment(batcher, start)
        before = await stored(sagas, start), await queries.find_log(sagas, start.saga_id)
        with pytest.raises(IllegalTransition):
            await tell(batcher, action(saga_id=start.saga_id, reason="now"))
    assert (await stored(sagas, start), await queries.find_log(sagas, start.saga_id)) == before


async def test_a_log_has_one_history(sagas: Pool, settings: Settings) -> None:
    start = a_start()
    async with replica(sagas, settings) as batcher:
        await tell(batcher, start)
    with pytest.raises(asyncpg.UniqueViolationError):
        await sagas.execute("insert into saga_events select * from saga_events limit 1")


@pytest.mark.parametrize("change", ["awaiting = null, deadline = null", "deadline = null"])
async def test_a_saga_that_waits_for_nothing_or_for_ever_cannot_be_stored_as_running(
    sagas: Pool, settings: Settings, change: str
) -> None:
    async with replica(sagas, settings) as batcher:
        await tell(batcher, a_start())
    with pytest.raises(asyncpg.CheckViolationError):
        await sagas.execute(f"update sagas set {change}")


async def test_an_order_belongs_to_one_saga(sagas: Pool, settings: Settings) -> None:
    start = a_start()
    another = start.model_copy(update={"saga_id": uuid4()})
    async with replica(sagas, settings) as batcher:
        await tell(batcher, start)
        with pytest.raises(asyncpg.UniqueViolationError):
            await tell(batcher, another)


async def test_what_a_customer_asked_for_comes_back_exactly(sagas: Pool, settings: Settings) -> None:
    start = a_start("ключ").model_copy(update={"total_amount": Decimal("9999999999.99"), "user_id": "Zoë ☃"})
    async with replica(sagas, settings) as batcher:
        await tell(batcher, start)
    assert (await stored(sagas, start)).start == start
    (log, *_) = await queries.find_log(sagas, start.saga_id)
    assert log["body"]["userId"] == "Zoë ☃"


async def test_what_is_settled_by_hand_sends_nothing_not_even_a_try_that_began_in_the_same_batch(
    sagas: Pool, settings: Settings
) -> None:
    start = a_start()
    ids = {"saga_id": start.saga_id, "order_id": start.order_id}
    async with replica(sagas, settings) as batcher:
        await tell(batcher, start)
        await tell(batcher, OrderCreated(saga_id=start.saga_id))
        saga = await tell(batcher, PaymentFailed(**ids, amount=start.total_amount, reason="DECLINED"))
        while saga.needs_attention is None:
            saga = await tell(batcher, overdue(saga))
        by_hand = Resolve(saga_id=start.saga_id, reason="refunded at the counter")
        await asyncio.gather(*(batcher.put(Message.new(body)) for body in (overdue(saga), by_hand)))
    assert await sagas.fetchval("select count(*) from outbox where type = 'CancelOrder'") == 0


async def test_when_the_clock_is_set_back_no_deadline_waits_for_it(sagas: Pool, settings: Settings) -> None:
    async with replica(sagas, settings) as batcher:
        saga = await tell(batcher, start := a_start())
    assert await queries.find_overdue(sagas, 10, furthest_seconds=60) == []
    await sagas.execute("update sagas set deadline = deadline + interval '1 hour' where saga_id = $1", start.saga_id)
    assert await queries.find_overdue(sagas, 10, furthest_seconds=60) == [overdue(saga)]


def overdue(saga: SagaInstance) -> TimedOut:
    assert saga.awaiting is not None
    return TimedOut(saga_id=saga.saga_id, awaiting=saga.awaiting, attempt=saga.attempt, seq=saga.seq)
