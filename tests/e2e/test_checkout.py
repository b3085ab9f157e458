"""A customer checks out: the three scenarios of the README, and everything around them."""

import asyncio
import os
import shutil
import subprocess
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.consistency import books, disagreements, orders_of
from tests.support.databases import DATABASES, Database, Databases
from tests.support.eventually import eventually

ANSWER_CODES = {"ORDER_CONFIRMED": 200, "PAYMENT_FAILED": 402, "INVENTORY_FAILED": 409}

PAYMENT_FAILS = {"forcePaymentFail": True}
INVENTORY_FAILS = {"forcePaymentFail": False, "forceInventoryFail": True}
ALL_SUCCEEDS = {"forcePaymentFail": False, "forceInventoryFail": False}


@pytest.mark.parametrize(
    ("flags", "code", "rows"),
    [
        pytest.param(PAYMENT_FAILS, 402, ("FAILED", "PAYMENT_FAILED", "CANCELLED", "FAILED", None), id="A"),
        pytest.param(INVENTORY_FAILS, 409, ("FAILED", "INVENTORY_FAILED", "CANCELLED", "REFUNDED", "FAILED"), id="B"),
        pytest.param(ALL_SUCCEEDS, 200, ("COMPLETED", "ORDER_CONFIRMED", "CONFIRMED", "CHARGED", "RESERVED"), id="C"),
    ],
)
async def test_each_scenario_ends_with_its_rows_in_all_four_databases(
    flags: dict[str, bool],
    code: int,
    rows: tuple[str | None, ...],
    http: httpx.AsyncClient,
    databases: Databases,
    user: str,
) -> None:
    answer = await http.post("/checkout", json={"userId": user, "totalAmount": 500, **flags})
    told = answer.json()

    (written,) = await books(databases, [told["sagaId"]])
    assert answer.status_code == code
    assert set(told) == {"sagaId", "orderId", "status", "step", "reason"}
    assert (told["status"], told["step"]) == rows[:2]
    assert bool(told["reason"]) is (told["status"] == "FAILED")
    assert written.statuses == rows
    assert await disagreements(databases, [told["sagaId"]]) == []
    assert await orders_of(databases, [user]) == {told["orderId"]}


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
@pytest.mark.parametrize("database", DATABASES, ids=str)
async def test_the_documented_psql_recipe_shows_the_checkout(
    database: Database, http: httpx.AsyncClient, user: str
) -> None:
    told = (await http.post("/checkout", json={"userId": user, "totalAmount": 500, **ALL_SUCCEEDS})).json()

    assert told["orderId"] in psql(database, f"select * from {database.table} order by created_at desc;")


def psql(database: Database, query: str) -> str:
    where = ["-h", "localhost", "-p", str(database.port), "-U", database.user, "-d", database.database]
    environment = {**os.environ, "PGPASSWORD": database.password}
    done = subprocess.run(["psql", *where, "-c", query], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_the_saga_and_its_parts_can_be_read_over_http(
    http: httpx.AsyncClient,
    orders: httpx.AsyncClient,
    payments: httpx.AsyncClient,
    inventory: httpx.AsyncClient,
    user: str,
) -> None:
    told = (await http.post("/checkout", json={"userId": user, "totalAmount": 19.99, **ALL_SUCCEEDS})).json()
    saga_id, order_id = told["sagaId"], told["orderId"]

    saga = (await http.get(f"/sagas/{saga_id}")).json()
    order = (await orders.get(f"/orders/{order_id}")).json()
    payment = (await payments.get(f"/payments/{order_id}")).json()
    reservation = (await inventory.get(f"/reservations/{order_id}")).json()

    assert {name: saga[name] for name in told} == told
    assert saga["createdAt"]
    assert [event["seq"] for event in saga["events"]] == list(range(1, len(saga["events"]) + 1))
    assert all({"seq", "kind", "type", "at"} <= set(event) for event in saga["events"])
    assert without_date(order) == {"orderId": order_id, "userId": user, "totalAmount": 19.99, "status": "CONFIRMED"}
    about = {"orderId": order_id, "sagaId": saga_id, "reason": None}
    assert without_date(payment) == {**about, "amount": 19.99, "status": "CHARGED"}
    assert without_date(reservation) == {**about, "status": "RESERVED"}


async def test_a_saga_s_log_can_be_read_from_any_point_backwards(http: httpx.AsyncClient, user: str) -> None:
    told = (await http.post("/checkout", json={"userId": user, "totalAmount": 19.99, **ALL_SUCCEEDS})).json()
    url = f"/sagas/{told['sagaId']}"
    whole = (await http.get(url)).json()["events"]

    assert (await http.get(url, params={"before": 4})).json()["events"] == whole[:3]
    assert (await http.get(url, params={"before": "x"})).status_code == 422


def without_date(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "createdAt"}


async def test_two_hundred_checkouts_at_once_with_random_failures_all_end_consistently(
    http: httpx.AsyncClient, databases: Databases
) -> None:
    users = [f"random-{uuid4()}" for _ in range(200)]
    answers = await asyncio.gather(*(http.post("/checkout", json={"userId": u, "totalAmount": 500}) for u in users))
    told = [answer.json() for answer in answers]

    async def all_agree() -> None:
        assert await disagreements(databases, [one["sagaId"] for one in told]) == []

    await eventually(all_agree)
    ended = [answer for answer in answers if answer.status_code != 202]
    assert {answer.json()["step"] for answer in ended} == set(ANSWER_CODES), "the failures are not random"
    assert [answer.status_code for answer in ended] == [ANSWER_CODES[answer.json()["step"]] for answer in ended]
    assert await orders_of(databases, users) == {one["orderId"] for one in told}
    assert len({one["orderId"] for one in told}) == len(users)


@pytest.mark.parametrize("amount", ["0.01", "19.99", "500.00", "1e2", "9999999999.99"])
async def test_an_amount_is_exact_in_every_database(
    amount: str, http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    flags = '"forcePaymentFail": false, "forceInventoryFail": false'
    body = f'{{"userId": "{user}", "totalAmount": {amount}, {flags}}}'
    answer = await http.post("/checkout", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 200, answer.text
    (written,) = await books(databases, [answer.json()["sagaId"]])
    assert written.total_amount == written.amount == Decimal(amount)


async def test_a_user_id_of_two_hundred_characters_in_any_script_is_kept_as_it_is(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    name = f"{user} Ünï 日本 🛒 '; drop table orders; -- ".ljust(200, "ß")
    told = (await http.post("/checkout", json={"userId": name, "totalAmount": 500, **ALL_SUCCEEDS})).json()

    assert await orders_of(databases, [name]) == {told["orderId"]}


async def test_unknown_fields_are_ignored(http: httpx.AsyncClient, user: str) -> None:
    extra = {"coupon": "SPRING", "items": [{"sku": 1}], "sagaId": "mine"}
    answer = await http.post("/checkout", json={"userId": user, "totalAmount": 500, **ALL_SUCCEEDS, **extra})

    assert answer.status_code == 200
    assert answer.json()["sagaId"] != "mine"


@pytest.mark.parametrize(
    "trace",
    ["", "garbage", "x" * 48_000, f"00-{'a' * 32}-{'b' * 16}-01"],
    ids=["nothing", "garbage", "a long one", "a trace context"],
)
async def test_only_a_trace_context_is_passed_on(
    trace: str, http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    body = {"userId": user, "totalAmount": 500, **ALL_SUCCEEDS}
    answer = await http.post("/checkout", json=body, headers={"traceparent": trace})
    assert answer.status_code == 200
    key = UUID(answer.json()["sagaId"])
    passed_on = await databases.payment.fetchval("select traceparent from outbox where key = $1", key)
    assert len(passed_on) == 55
    assert (passed_on == trace) is trace.startswith("00-")


async def test_a_caller_who_does_not_want_to_wait_is_told_where_to_look(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    answer = await http.post(
        "/checkout",
        json={"userId": user, "totalAmount": 500, **ALL_SUCCEEDS},
        headers={"Prefer": "respond-async"},
    )
    told = answer.json()

    assert answer.status_code == 202
    assert told["status"] == "RUNNING"
    assert answer.headers["Location"] == f"/sagas/{told['sagaId']}"

    async def completed() -> None:
        saga = (await http.get(answer.headers["Location"])).json()
        assert (saga["status"], saga["step"]) == ("COMPLETED", "ORDER_CONFIRMED")

    await eventually(completed)
    assert await disagreements(databases, [told["sagaId"]]) == []
