"""kill -9 in mid-load, or a stop: every checkout that was acknowledged ends, none is lost and none is doubled."""

import asyncio
import signal

import httpx
import pytest

from tests.support.consistency import disagreements, orders_of
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.load import load
from tests.support.stack import (
    ORCHESTRATOR,
    PAYMENT,
    SERVICES,
    Service,
    assert_ready,
    crash,
    frozen,
    send_signal,
    started_at,
)

CALLERS = 16


@pytest.mark.parametrize("service", SERVICES, ids=str)
async def test_a_service_that_is_killed_in_mid_load_loses_nothing_and_doubles_nothing(
    service: Service, http: httpx.AsyncClient, databases: Databases
) -> None:
    async with load(http, CALLERS) as history:
        await eventually(lambda: assert_in_flight(databases, CALLERS // 2))
        await crash(service)
        await history.grows(10 * CALLERS)

    async def all_agree() -> None:
        assert await disagreements(databases, history.saga_ids) == []

    await eventually(all_agree, within=30)
    assert await orders_of(databases, history.users) == history.order_ids
    assert len(history.order_ids) == len(history.users)
    for each in SERVICES:
        await assert_ready(each)


async def test_who_waits_while_the_orchestrator_is_stopped_hears_that_the_checkout_goes_on(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    before = await started_at(ORCHESTRATOR)
    body = {"userId": user, "totalAmount": 500, "forcePaymentFail": False, "forceInventoryFail": False}
    async with frozen(PAYMENT):
        waiting = asyncio.create_task(http.post("/checkout", json=body))
        await eventually(lambda: assert_in_flight(databases, 1))
        await send_signal(ORCHESTRATOR, signal.SIGTERM)
        answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING")

    async def is_back_and_has_ended_it() -> None:
        assert await started_at(ORCHESTRATOR) > before
        await assert_ready(ORCHESTRATOR)
        assert (await http.get(answer.headers["Location"])).json()["status"] == "COMPLETED"

    await eventually(is_back_and_has_ended_it, within=60)


async def assert_in_flight(databases: Databases, wanted: int) -> None:
    running = await databases.orchestrator.fetchval("select count(*) from sagas where status = 'RUNNING'")
    assert running >= wanted, f"{running} sagas are in flight"
