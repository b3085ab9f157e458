"""`explain` tells what became of a checkout, whichever of its ids is given, or names the place where it is stuck."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.ops.sagas import assert_step, begin, hold, refused_by_the_database, saga_of
from tests.ops.shell import letter_of, ops, signed
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.stack import ORCHESTRATOR, PAYMENT, frozen
from tests.support.wire import CHARGE, Wire

STOCKED = {"totalAmount": 19.99, "forcePaymentFail": False, "forceInventoryFail": False}


async def checkout(http: httpx.AsyncClient, user: str, **changes: Any) -> dict[str, Any]:
    """What a checkout with a key of its own, the user's name, was answered."""
    answer = await http.post("/checkout", json={"userId": user} | STOCKED | changes, headers={"Idempotency-Key": user})
    answered: dict[str, Any] = answer.json()
    return answered


async def explained(asked: str, *said: str) -> str:
    done = await ops("explain", asked)
    assert done.code == 0, done.error
    assert [each for each in said if each not in done.out] == [], done.out
    return done.out


async def test_a_checkout_that_went_well_is_found_by_every_id(http: httpx.AsyncClient, user: str) -> None:
    done = await checkout(http, user)
    saga_id, order_id = done["sagaId"], done["orderId"]
    ids = [(saga_id, "saga id"), (order_id, "order id"), (user, "idempotency key")]
    for event in (await saga_of(http, saga_id))["events"]:
        if event["type"] in ("OrderCreated", "ChargePayment", "PaymentCharged"):
            ids.append((event["messageId"], "message id"))
    assert len(ids) == 6
    found = f"saga {saga_id}, order {order_id}, found by"
    went_well = "COMPLETED at ORDER_CONFIRMED", "They agree."
    told = await asyncio.gather(*(explained(asked, f"{found} {kind}", *went_well) for asked, kind in ids))
    assert [out for out in told if "It stopped" in out] == []


async def test_a_checkout_without_stock_shows_its_compensations(http: httpx.AsyncClient, user: str) -> None:
    done = await checkout(http, user, forceInventoryFail=True)
    await explained(
        done["orderId"],
        "FAILED at INVENTORY_FAILED (OUT_OF_STOCK)",
        "Undone by RefundPayment, then CancelOrder.",
        "RefundPayment (compensation)",
        "CANCELLED",
        "REFUNDED",
        "They agree.",
    )


async def test_rows_that_disagree_are_named(http: httpx.AsyncClient, databases: Databases, user: str) -> None:
    order_id = (await checkout(http, user))["orderId"]
    change = "update payments set status = $2, version = version + 1 where order_id = $1"
    await databases.payment.execute(change, order_id, "REFUNDED")
    await explained(order_id, "They disagree, I2: the order is CONFIRMED, its payment is REFUNDED. To do:")
    await databases.payment.execute(change, order_id, "CHARGED")
    await explained(order_id, "They agree.")


async def test_a_participant_that_stands_still_is_named(http: httpx.AsyncClient, user: str) -> None:
    async with frozen(PAYMENT):
        saga_id = await begin(http, user)
        await eventually(lambda: assert_step(http, saga_id, "ORDER_CREATED"))
        await eventually(
            lambda: explained(
                saga_id,
                "waits for the reply of payment-service to ChargePayment",
                "step 2 of 4 (charge payment)",
                "the saga is undone: RefundPayment, then CancelOrder",
                "It stopped here: payment-service does not work (no answer",
                "ChargePayment lies in payment.charge.command before it",
                "make logs SERVICE=payment-service",
                f"/sagas/{saga_id}/retry",
            )
        )
    await eventually(lambda: assert_step(http, saga_id, "ORDER_CONFIRMED"))


async def test_an_orchestrator_that_stands_still_is_named(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    async with AsyncExitStack() as stopped:
        async with frozen(PAYMENT):
            saga_id = await begin(http, user)
            await eventually(lambda: assert_step(http, saga_id, "ORDER_CREATED"))
            await eventually(lambda: assert_sent(databases, saga_id))
            await stopped.enter_async_context(frozen(ORCHESTRATOR))
        await eventually(
            lambda: explained(
                saga_id,
                "It stopped here: saga-orchestrator does not work (no answer",
                "PaymentCharged lies in payment.charged before it",
            )
        )
    await eventually(lambda: assert_step(http, saga_id, "ORDER_CONFIRMED"))


async def assert_sent(databases: Databases, saga_id: str) -> None:
    assert await databases.orchestrator.fetchval(
        "select published_at from outbox where key = $1 and type = 'ChargePayment'", saga_id
    )


async def test_a_reply_among_the_dead_letters_is_named(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    async with AsyncExitStack() as refusing:
        async with frozen(PAYMENT):
            saga_id = await begin(http, user)
            await eventually(lambda: assert_step(http, saga_id, "ORDER_CREATED"))
            await hold(databases, saga_id)
            await refusing.enter_async_context(refused_by_the_database(databases, saga_id))
        await eventually(
            lambda: explained(
                saga_id,
                "It stopped here: PaymentCharged could not be handled: dead letter saga-orchestrator/",
                "CheckViolationError",
                'make dlq ARGS="show saga-orchestrator/',
                "make dlq ARGS='redrive saga-orchestrator/",
            )
        )
    assert (await signed("dlq", "redrive", "--saga", saga_id)).code == 0
    await eventually(lambda: assert_step(http, saga_id, "ORDER_CONFIRMED"))
    assert "dead letter" not in await explained(saga_id, "COMPLETED at ORDER_CONFIRMED")


async def test_a_dead_letter_of_nobody_is_found_by_its_message_id(wire: Wire) -> None:
    message_id = str(uuid4())
    await wire.send(CHARGE, {"sagaId": "not-a-uuid"}, {"message-id": message_id})
    await letter_of(message_id)
    await explained(message_id, "a dead letter that no saga waits for", "InvalidRecord", 'make dlq ARGS="show payment')


async def test_a_dead_letter_of_a_stranger_that_gives_no_key_is_found_by_saga_and_order(wire: Wire) -> None:
    saga_id, order_id = str(uuid4()), str(uuid4())
    await wire.send(CHARGE, {"sagaId": saga_id, "orderId": order_id, "amount": -1})
    await eventually(lambda: explained(saga_id, "found by saga id", "InvalidRecord", "amount: Input should be"))
    await explained(order_id, "found by order id", "a dead letter that no saga waits for", "amount: Input should be")


async def test_a_foreign_clients_order_is_shown(databases: Databases) -> None:
    order_id = str(uuid4())
    await databases.order.execute(
        "insert into orders (order_id, user_id, total_amount, status) values ($1, 'foreign', 5, 'PENDING')", order_id
    )
    await explained(order_id, "a foreign client has made it", "PENDING")
    await databases.order.execute("delete from orders where order_id = $1", order_id)


async def test_a_database_that_is_away_is_said_and_the_rest_is_shown(
    http: httpx.AsyncClient, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = (await checkout(http, user))["orderId"]
    monkeypatch.setenv("PAYMENT_SERVICE_PGHOST", "127.0.0.9")
    out = await explained(order_id, "Not read: the database of payment-service (", "COMPLETED", "RESERVED")
    assert "They agree" not in out
    monkeypatch.setenv("SAGA_ORCHESTRATOR_PGHOST", "127.0.0.9")
    await explained(order_id, "the orchestrator's database cannot be read", "found by order id", "CONFIRMED")
    done = await ops("explain", user)
    assert (done.code, done.out) == (1, "")
    assert "Not read: the database of saga-orchestrator (" in done.error


async def test_what_nobody_knows_exits_1_and_says_what_may_be_asked() -> None:
    unknown = str(uuid4()), "no-such-key"
    for asked, done in zip(unknown, await asyncio.gather(*(ops("explain", asked) for asked in unknown)), strict=True):
        assert (done.code, done.out) == (1, "")
        assert f"Nothing is known of {asked}. It may be a saga id, an order id, a message id" in done.error


async def test_nothing_asked_exits_2() -> None:
    for done in await asyncio.gather(*(ops("explain", *words) for words in ((), ("",), (" ",), ("one", "two")))):
        assert (done.code, done.out) == (2, "")
        assert "Traceback" not in done.error
