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


async def test_the_same_key_in_two_headers_is_one_key(http: httpx.AsyncClient, user: str, key: dict[str, str]) -> None:
    body = {"userId": user, "totalAmount": 500, "forcePaymentFail": False, "forceInventoryFail": False}
    answers = [await http.post("/checkout", json=body, headers=[*key.items()] * times) for times in (1, 2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


ODD = {
    "empty": [b""],
    "a tab": [b"a\tb"],
    "too long": [b"k" * 10_000],
    "one too long": [b"k" * 256],
    "not ASCII": ["ключ".encode()],
    "two of them": [b"a", b"b"],
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_an_odd_key_is_refused_before_anything_is_written(
    odd: list[bytes], http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    headers = [(b"Content-Type", b"application/json"), *((b"Idempotency-Key", each) for each in odd)]
    async with nothing_written(databases):
        answer = await http.post("/checkout", content=f'{{"userId": "{user}", "totalAmount": 500}}', headers=headers)

    assert answer.status_code == 422
    assert "Idempotency-Key must be one header of 1 to 255 printable ASCII characters" in answer.json()["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"
