"""The order service: idempotent by order id, and no way out of a final status."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest


@pytest.fixture
def order(user: str) -> dict[str, Any]:
    return {"orderId": str(uuid4()), "userId": user, "totalAmount": 19.99}


async def set_status(orders: httpx.AsyncClient, order: dict[str, Any], status: str, **about: Any) -> int:
    answer = await orders.patch(f"/orders/{order['orderId']}/status", json={"status": status, **about})
    assert answer.status_code == 200 or answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code


async def status_of(orders: httpx.AsyncClient, order: dict[str, Any]) -> str:
    status: str = (await orders.get(f"/orders/{order['orderId']}")).raise_for_status().json()["status"]
    return status


async def test_an_order_is_created_pending(orders: httpx.AsyncClient, order: dict[str, Any]) -> None:
    created = await orders.post("/orders", json=order)

    assert created.status_code == 201
    assert created.json() == (await orders.get(f"/orders/{order['orderId']}")).json()
    assert created.json() == {**order, "status": "PENDING", "createdAt": created.json()["createdAt"]}


async def test_without_an_id_each_post_is_a_new_order(orders: httpx.AsyncClient, order: dict[str, Any]) -> None:
    del order["orderId"]
    created = [await orders.post("/orders", json=order) for _ in range(2)]

    assert [answer.status_code for answer in created] == [201, 201]
    assert created[0].json()["orderId"] != created[1].json()["orderId"]


async def test_the_same_order_again_is_answered_with_the_one_there_is(
    orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    created, again = await orders.post("/orders", json=order), await orders.post("/orders", json=order)

    assert (created.status_code, again.status_code) == (201, 200)
    assert again.json() == created.json()


@pytest.mark.parametrize("change", [{"totalAmount": 20}, {"userId": "somebody else"}], ids=str)
async def test_the_same_id_with_other_content_is_refused(
    change: dict[str, Any], orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    created = await orders.post("/orders", json=order)
    other = await orders.post("/orders", json={**order, **change})

    assert other.status_code == 409
    assert other.headers["Content-Type"] == "application/problem+json"
    assert (await orders.get(f"/orders/{order['orderId']}")).json() == created.json()


async def test_the_same_order_twenty_times_at_once_is_created_once(
    orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    answers = await asyncio.gather(*(orders.post("/orders", json=order) for _ in range(20)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}


@pytest.mark.parametrize("status", ["CONFIRMED", "CANCELLED"])
@pytest.mark.parametrize("other", ["CONFIRMED", "CANCELLED", "PENDING"])
async def test_a_final_status_can_be_repeated_but_not_left(
    status: str, other: str, orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    await orders.post("/orders", json=order)
    first = await set_status(orders, order, status)
    second = await set_status(orders, order, other)

    assert first == 200
    assert second == {"PENDING": 422, status: 200}.get(other, 409)
    assert await status_of(orders, order) == status


async def test_of_confirming_and_cancelling_at_once_only_one_happens(
    orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    await orders.post("/orders", json=order)
    wanted = ["CONFIRMED", "CANCELLED"] * 5
    codes = await asyncio.gather(*(set_status(orders, order, status) for status in wanted))

    happened = {status for status, code in zip(wanted, codes, strict=True) if code == 200}
    assert happened == {await status_of(orders, order)}
    assert Counter(codes) == {200: 5, 409: 5}


@pytest.mark.parametrize("status", ["CONFIRMED", "CANCELLED"])
async def test_an_unknown_order_has_no_status_to_change(
    status: str, orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    assert await set_status(orders, order, status) == 404
    assert (await orders.get(f"/orders/{order['orderId']}")).status_code == 404


async def test_confirming_an_unknown_order_leaves_nothing(orders: httpx.AsyncClient, order: dict[str, Any]) -> None:
    about = {"userId": order["userId"], "totalAmount": order["totalAmount"]}

    assert await set_status(orders, order, "CONFIRMED", **about) == 404
    assert (await orders.get(f"/orders/{order['orderId']}")).status_code == 404


async def test_an_order_cancelled_before_its_create_arrives_stays_cancelled(
    orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    about = {"userId": order["userId"], "totalAmount": order["totalAmount"]}
    cancelled = await set_status(orders, order, "CANCELLED", **about)
    late = await orders.post("/orders", json=order)

    assert cancelled == 200
    assert (late.status_code, late.json()["status"]) == (200, "CANCELLED")
    assert await status_of(orders, order) == "CANCELLED"
    assert await set_status(orders, order, "CONFIRMED") == 409


async def test_a_request_without_an_order_id_is_known_by_its_message_id(
    orders: httpx.AsyncClient, order: dict[str, Any]
) -> None:
    content = {name: order[name] for name in ("userId", "totalAmount")}
    headers = {"message-id": str(uuid4())}
    first, again = [await orders.post("/orders", json=content, headers=headers) for _ in range(2)]

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
