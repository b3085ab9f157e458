"""Poison: whatever stands on a topic, what comes after it is handled."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.consistency import books, disagreements
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.stack import SERVICES, assert_ready, started_at
from tests.support.wire import COMMANDS, EVENTS, GARBAGE, Wire

BAD_FIELDS: list[dict[str, Any]] = [
    {"sagaId": None},
    {"sagaId": "not-a-uuid"},
    {"sagaId": 7},
    {"sagaId": ["a"]},
    {"amount": "abc"},
    {"amount": None},
    {"amount": 1.005},
    {"amount": 0},
    {"amount": -1},
    {"amount": 10**12},
    {"amount": float("nan")},
    {"amount": float("inf")},
    {"forceFail": "yes"},
    {"forceFail": 1},
    {"forceFail": [], "reason": ["a"]},
]
BAD_HEADERS = [
    [("message-id", b"not-a-uuid"), ("causation-id", b"\xff\xff"), ("message-type", b"NoSuchType")],
    [("message-id", b""), ("message-type", b"\x00"), ("traceparent", b"garbage")],
    [("message-id", b"a"), ("message-id", b"b"), ("no-such-header", b"c"), ("traceparent", b"\x00\xff")],
]


@pytest.mark.parametrize("topics", [COMMANDS, EVENTS], ids=["commands", "events"])
async def test_poison_does_not_stop_what_comes_after_it(
    topics: tuple[str, ...], http: httpx.AsyncClient, databases: Databases, wire: Wire, user: str
) -> None:
    started = [await started_at(service) for service in SERVICES]
    orders = [uuid4() for _ in BAD_FIELDS]
    for topic in topics:
        await pour(wire, topic, orders)

    body = {"userId": user, "totalAmount": 500, "forcePaymentFail": False, "forceInventoryFail": False}
    answers = await asyncio.gather(*(http.post("/checkout", json=body) for _ in range(40)))

    assert {answer.status_code for answer in answers} <= {200, 202}
    await eventually(lambda: assert_completed([answer.json()["sagaId"] for answer in answers], databases))
    assert await charged_by(orders, databases) == []
    for service in SERVICES:
        await assert_ready(service)
    assert [await started_at(service) for service in SERVICES] == started, "a service had to be started again"


async def assert_completed(saga_ids: list[str], databases: Databases) -> None:
    assert {book.status for book in await books(databases, saga_ids)} == {"COMPLETED"}
    assert await disagreements(databases, saga_ids) == []


async def pour(wire: Wire, topic: str, orders: list[UUID]) -> None:
    """Every poison there is, onto every partition of the topic."""
    for value in GARBAGE:
        await wire.send_raw(topic, value)
    for order_id, bad in zip(orders, BAD_FIELDS, strict=True):
        await wire.send_raw(topic, json.dumps({**body_of(order_id), **bad}).encode())
    for headers in BAD_HEADERS:
        await wire.send_raw(topic, json.dumps(body_of(uuid4())).encode(), headers)


def body_of(order_id: UUID) -> dict[str, Any]:
    return {"sagaId": str(uuid4()), "orderId": str(order_id), "amount": 500, "reason": "poison"}


async def charged_by(orders: list[UUID], databases: Databases) -> list[Any]:
    query = "select order_id from payments where order_id = any($1) and status = 'CHARGED'"
    return [row["order_id"] for row in await databases.payment.fetch(query, orders)]
