"""The Idempotency-Key: one key, one saga, one answer."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from tests.support.consistency import disagreements, orders_of
from tests.support.databases import Databases, nothing_written


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": f"key-{uuid4()}"}


async def test_the_same_key_thirty_times_at_once_is_one_saga_with_one_answer(
    http: httpx.AsyncClient, databases: Databases, user: str, key: dict[str, str]
) -> None:
    body = {"userId": user, "totalAmount": 500}
    answers = await asyncio.gather(*(http.post("/checkout", json=body, headers=key) for _ in range(30)))

    first = answers[0]
    assert first.status_code in (200, 402, 409)
    assert {(answer.status_code, answer.text) for answer in answers} == {(first.status_code, first.text)}
    assert await orders_of(databases, [user]) == {first.json()["orderId"]}
    assert await disagreements(databases, [first.json()["sagaId"]]) == []


@pytest.mark.parametrize("fails", [True, False])
async def test_the_same_key_later_repeats_the_answer(
    fails: bool, http: httpx.AsyncClient, databases: Databases, user: str, key: dict[str, str]
) -> None:
    body = {"userId": user, "totalAmount": 500, "forcePaymentFail": fails, "forceInventoryFail": False}
    first = await http.post("/checkout", json=body, headers=key)
    async with nothing_written(databases):
        again = await http.post("/checkout", json=dict(reversed(body.items())), headers=key)

    assert (again.status_code, again.json()) == (first.status_code, first.json())


async def test_the_same_key_joins_a_checkout_that_did_not_wait(
    http: httpx.AsyncClient, databases: Databases, user: str, key: dict[str, str]
) -> None:
    body = {"userId": user, "totalAmount": 500, "forcePaymentFail": False, "forceInventoryFail": False}
    began = await http.post("/checkout", json=body, headers={**key, "Prefer": "respond-async"})
    ended = await http.post("/checkout", json=body, headers=key)

    assert (began.status_code, ended.status_code) == (202, 200)
    assert began.json()["sagaId"] == ended.json()["sagaId"]
    assert await orders_of(databases, [user]) == {ended.json()["orderId"]}


@pytest.mark.parametrize(
    "change",
    [
        {"totalAmount": 501},
        {"userId": "somebody else"},
        {"forcePaymentFail": True},
        {"forceInventoryFail": False},
    ],
    ids=str,
)
async def test_the_same_key_with_another_body_is_refused(
    change: dict[str, object], http: httpx.AsyncClient, databases: Databases, user: str, key: dict[str, str]
) -> None:
    body = {"userId": user, "totalAmount": 500, "forcePaymentFail": False}
    first = await http.post("/checkout", json=body, headers=key)
    async with nothing_written(databases):
        other = await http.post("/checkout", json={**body, **change}, headers=key)

    assert first.status_code in (200, 409)
    assert other.status_code == 422
    assert other.headers["Content-Type"] == "application/problem+json"
    assert first.json()["sagaId"] not in other.text


async def test_different_keys_are_different_checkouts(http: httpx.AsyncClient, databases: Databases, user: str) -> None:
    body = {"userId": user, "totalAmount": 500}
    answers = [await http.post("/checkout", json=body, headers={"Idempotency-Key": str(uuid4())}) for _ in range(3)]

    assert await orders_of(databases, [user]) == {answer.json()["orderId"] for answer in answers}
    assert len({answer.json()["sagaId"] for answer in answers}) == 3


@pytest.mark.parametrize("odd", [b"", b"a\tb", b"k" * 10_000], ids=["empty", "a tab", "too long"])
async def test_an_odd_key_is_refused_before_anything_is_written(
    odd: bytes, http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    headers = {b"Idempotency-Key": odd, b"Content-Type": b"application/json"}
    async with nothing_written(databases):
        answer = await http.post(
            "/checkout", content=f'{{"userId": "{user}", "totalAmount": 500}}', headers=list(headers.items())
        )

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
