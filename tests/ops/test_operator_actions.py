"""Retry, cancel, resolve: who may, when, and what the saga's log says of it."""

import os
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from chassis.batcher import Batcher
from chassis.problems import install
from saga_orchestrator import operator
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definitions import Definitions
from saga_orchestrator.handlers import Checkouts
from saga_orchestrator.settings import Settings
from tests.ops.sagas import assert_step, begin, hold, saga_of
from tests.support.consistency import disagreements
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.stack import INVENTORY, ORDER, PAYMENT, frozen

TOKEN = os.environ.get("OPERATOR_TOKEN", "test-operator")
WHY = "somebody asked for it"


async def act(http: httpx.AsyncClient, saga_id: str, action: str, token: str = TOKEN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await http.post(f"/sagas/{saga_id}/{action}", json={"reason": WHY}, headers=headers)


def assert_logged(saga: dict[str, Any], command: str) -> None:
    assert [e["body"]["reason"] for e in saga["events"] if (e["kind"], e["type"]) == ("RECEIVED", command)] == [WHY]


def sent(saga: dict[str, Any], command: str) -> list[str]:
    return [e["messageId"] for e in saga["events"] if (e["kind"], e["type"]) == ("SENT", command)]


async def unsent(databases: Databases, saga_id: str) -> int:
    count: int = await databases.orchestrator.fetchval(
        "select count(*) from outbox where key = $1 and published_at is null and type = 'ConfirmOrder'", saga_id
    )
    return count


@pytest.mark.parametrize("action", ["retry", "cancel", "resolve"])
async def test_without_the_token_nobody_may_do_anything(action: str, http: httpx.AsyncClient, user: str) -> None:
    saga_id = await begin(http, user)
    for token in ("", "wrong", TOKEN + "x", TOKEN[:-1]):
        answer = await act(http, saga_id, action, token)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert (await act(http, str(uuid4()), action)).status_code == 404
    await eventually(lambda: assert_step(http, saga_id, "ORDER_CONFIRMED"))


async def test_where_no_token_is_set_the_actions_are_off(databases: Databases) -> None:
    settings = Settings(operator_token="")
    app = FastAPI()
    install(app)
    sagas = databases.orchestrator
    batcher = Batcher(sagas, Checkouts(Definitions(CHECKOUT, sagas, settings)), settings)
    app.include_router(operator.routes(batcher, settings))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orchestrator") as http:
        for token in ("", "anything", TOKEN):
            assert (await act(http, str(uuid4()), "cancel", token)).status_code == 403


async def test_a_reason_must_be_given(http: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for body in ({}, {"reason": ""}, {"reason": "\0"}, {"reason": 7}):
        assert (await http.post(f"/sagas/{uuid4()}/cancel", json=body, headers=headers)).status_code == 422


async def test_cancel_before_the_pivot_undoes_the_saga(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    async with frozen(PAYMENT):
        saga_id = await begin(http, user)
        await eventually(lambda: assert_step(http, saga_id, "ORDER_CREATED"))
        answer = await act(http, saga_id, "cancel")
        assert (answer.status_code, answer.json()["step"]) == (202, "CANCELLED")
        assert (await act(http, saga_id, "cancel")).status_code == 409

    async def assert_undone() -> None:
        saga = await saga_of(http, saga_id)
        assert (saga["status"], saga["step"], saga["reason"]) == ("FAILED", "CANCELLED", WHY)

    await eventually(assert_undone)
    assert_logged(await saga_of(http, saga_id), "Cancel")
    assert await disagreements(databases, [saga_id]) == []


async def test_after_the_pivot_there_is_no_cancel_and_resolve_needs_a_saga_that_needs_attention(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    async with AsyncExitStack() as stopped:
        async with frozen(INVENTORY):
            saga_id = await begin(http, user)
            await eventually(lambda: assert_step(http, saga_id, "PAYMENT_CHARGED"))
            await stopped.enter_async_context(frozen(ORDER))
        await eventually(lambda: assert_step(http, saga_id, "INVENTORY_RESERVED"))
        before = await saga_of(http, saga_id)
        assert await unsent(databases, saga_id) == 1
        assert (await act(http, saga_id, "cancel")).status_code == 409
        assert (await act(http, saga_id, "resolve")).status_code == 409
        assert (await saga_of(http, saga_id))["events"] == before["events"]

        await flag(http, databases, saga_id)
        resolved = await act(http, saga_id, "resolve")
        assert (resolved.status_code, resolved.json()["status"]) == (200, "COMPLETED")
        assert await unsent(databases, saga_id) == 0

    assert_logged(await saga_of(http, saga_id), "Resolve")
    for action in ("retry", "cancel", "resolve"):
        assert (await act(http, saga_id, action)).status_code == 409


async def test_resolve_ends_a_compensation_that_gets_no_answer(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    async with frozen(PAYMENT):
        saga_id = await begin(http, user)
        await eventually(lambda: assert_step(http, saga_id, "ORDER_CREATED"))
        assert (await act(http, saga_id, "cancel")).status_code == 202
        await flag(http, databases, saga_id)
        resolved = await act(http, saga_id, "resolve")
        assert resolved.json()["status"] == "FAILED"
        assert_logged(await saga_of(http, saga_id), "Resolve")


async def test_retry_sends_the_same_command_now(http: httpx.AsyncClient, databases: Databases, user: str) -> None:
    async with frozen(PAYMENT):
        saga_id = await begin(http, user)
        await eventually(lambda: assert_step(http, saga_id, "ORDER_CREATED"))
        await hold(databases, saga_id)
        assert (await act(http, saga_id, "retry")).status_code == 202
        saga = await saga_of(http, saga_id)
        assert len(sent(saga, "ChargePayment")) == 2
        assert len(set(sent(saga, "ChargePayment"))) == 1
        assert_logged(saga, "Retry")
    await eventually(lambda: assert_step(http, saga_id, "ORDER_CONFIRMED"))
    assert await disagreements(databases, [saga_id]) == []


async def flag(http: httpx.AsyncClient, databases: Databases, saga_id: str) -> None:
    """Let one try after the other be overdue, until the orchestrator says that somebody should look."""

    async def assert_flagged() -> None:
        await databases.orchestrator.execute("update sagas set deadline = now() where saga_id = $1", saga_id)
        assert (await saga_of(http, saga_id))["needsAttention"] is not None

    await eventually(assert_flagged)
