"""Two of each service: an answer comes through whichever replica, and one that dies is missed by its callers only."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias
from uuid import uuid4

import pytest

from local.instance import ORCHESTRATOR, Service
from tests.chaos.forms import EXTENT
from tests.chaos.system import ALL_WELL, System, running
from tests.chaos.verdict import assert_all_well
from tests.support.load import load

Pair: TypeAlias = tuple[System, System]
CALLERS = 8


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with running() as one, running(replica=1) as two:
        yield one, two


async def test_a_caller_is_answered_when_another_replica_applies_the_last_reply(pair: Pair) -> None:
    one, two = pair
    body = {"userId": "chaos", "totalAmount": 19.99, **ALL_WELL}

    keys = [{"Idempotency-Key": str(uuid4())} for _ in range(60)]  # with one the saga cannot choose where it begins
    answers = await asyncio.gather(*(one.http.post("/checkout", json=body, headers=key) for key in keys))

    assert [answer.json()["status"] for answer in answers] == ["COMPLETED"] * len(answers)
    served = [await system[ORCHESTRATOR].metric("batch_messages_count") for system in pair]
    assert all(served), f"one of the two handled nothing: {served}"
    await two.agree([answer.json()["sagaId"] for answer in answers])


@pytest.mark.proves("replica-killed")
@pytest.mark.parametrize("service", EXTENT.killed_under_load, ids=lambda service: service.name)
async def test_of_two_replicas_one_is_killed_and_only_its_own_callers_notice(pair: Pair, service: Service) -> None:
    one, two = pair
    async with load(one.http, CALLERS) as at_one, load(two.http, CALLERS) as at_two:
        await asyncio.gather(at_one.grows(5 * CALLERS), at_two.grows(5 * CALLERS))
        await two[service].end()
        await at_one.grows(5 * CALLERS, within=60)
        two[service].start()
        await two.ready()

    assert one.http.let_down == 0
    await assert_all_well(one, at_one)
    await assert_all_well(two, at_two)
