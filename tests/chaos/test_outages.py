"""Kafka and each Postgres killed under load: every acknowledged checkout ends, none is lost and none is doubled."""

import asyncio

import pytest

from local.instance import Service
from tests.chaos.forms import EXTENT
from tests.chaos.infra import KAFKA, away, kill
from tests.chaos.system import System
from tests.chaos.verdict import assert_all_well, assert_none_parked
from tests.support.load import load

CALLERS = 16


@pytest.mark.proves("kafka-killed")
@pytest.mark.timeout(400)
async def test_with_kafka_killed_and_away_under_load_checkouts_are_accepted_and_end(system: System) -> None:
    async with load(system.http, CALLERS) as history:
        await history.grows(5 * CALLERS)
        async with away(KAFKA):
            accepted = await system.checkout()
            await asyncio.sleep(EXTENT.kafka_away_seconds)  # how long it is away is what is tested
        await history.grows(2 * CALLERS, within=90)
    await system.ended(accepted)
    await assert_all_well(system, history)
    await assert_none_parked(system)


@pytest.mark.proves("postgres-killed")
@pytest.mark.parametrize("service", EXTENT.killed_under_load, ids=lambda service: service.database.name)
async def test_a_postgres_that_is_killed_under_load_loses_nothing(system: System, service: Service) -> None:
    async with load(system.http, CALLERS) as history:
        await history.grows(5 * CALLERS)
        await kill(service.database)
        await system.database(service).expire_connections()
        await history.grows(5 * CALLERS, within=90)
    await assert_all_well(system, history)
    await assert_none_parked(system)
