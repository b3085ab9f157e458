"""kill -9 in mid-load: every checkout that was acknowledged ends, none is lost and none is doubled."""

import httpx
import pytest

from tests.support.consistency import disagreements, orders_of
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.load import History, load
from tests.support.stack import SERVICES, Service, assert_ready, crash

CALLERS = 16


@pytest.mark.parametrize("service", SERVICES, ids=str)
async def test_a_service_that_is_killed_in_mid_load_loses_nothing_and_doubles_nothing(
    service: Service, http: httpx.AsyncClient, databases: Databases
) -> None:
    async with load(http, CALLERS) as history:
        await eventually(lambda: assert_in_flight(databases, CALLERS // 2))
        await crash(service)
        back = len(history.answers)
        await eventually(lambda: assert_answered(history, back + 10 * CALLERS))

    async def all_agree() -> None:
        assert await disagreements(databases, history.saga_ids) == []

    await eventually(all_agree, within=30)
    assert await orders_of(databases, history.users) == history.order_ids
    assert len(history.order_ids) == len(history.users)
    for each in SERVICES:
        await assert_ready(each)


async def assert_in_flight(databases: Databases, wanted: int) -> None:
    running = await databases.orchestrator.fetchval("select count(*) from sagas where status = 'RUNNING'")
    assert running >= wanted, f"{running} sagas are in flight"


async def assert_answered(history: History, wanted: int) -> None:
    assert len(history.answers) >= wanted, f"{len(history.answers)} checkouts of {wanted} were answered"
