"""Slow disks, wrong clocks, lost connections, a lost log, a process that stands still: nothing is lost or doubled."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

import pytest

from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Service
from tests.chaos.conftest import FORM
from tests.chaos.faults import assert_members, broken, connections_cut, log_lost, slow_disks
from tests.chaos.processes import HERE, Process
from tests.chaos.scenarios import IMPATIENT, PAYMENT_TIMEOUT
from tests.chaos.system import System, running
from tests.chaos.verdict import assert_all_well, assert_audit_is_clean, assert_none_parked
from tests.ops.sagas import hold
from tests.ops.shell import ops
from tests.support.eventually import eventually
from tests.support.load import load

CALLERS = 8
TEN_MINUTES = 600
SESSION_SECONDS = 6
STANDS_STILL_SECONDS = SESSION_SECONDS * (1.5 if FORM == "short" else 3)
CONSUMERS = [PAYMENT] if FORM == "short" else [PAYMENT, INVENTORY, ORCHESTRATOR]
SAGAS = 12


@pytest.mark.proves("slow-disk")
async def test_with_slow_disks_everything_is_slow_and_nothing_is_lost(system: System) -> None:
    async with load(system.http, CALLERS) as history:
        await history.grows(CALLERS)
        async with slow_disks(system):
            await history.grows(CALLERS, within=60)
    await assert_all_well(system, history)


@pytest.mark.proves("clock-skew")
@pytest.mark.parametrize("sign", [1] if FORM == "short" else [1, -1])
async def test_services_whose_clocks_are_ten_minutes_wrong_keep_their_deadlines(sign: int) -> None:
    """Each is ahead of one neighbour and behind another; deadlines are the database's."""
    async with running(IMPATIENT) as system:
        for service, ahead in zip((ORCHESTRATOR, ORDER, PAYMENT, INVENTORY), (1, -1, -1, 1), strict=True):
            await system[service].restart(CLOCK_SKEW_SECONDS=str(TEN_MINUTES * ahead * sign))
        async with load(system.http, CALLERS) as history:
            await history.grows(5 * CALLERS)
        saga_id = await PAYMENT_TIMEOUT.play(system)
        began = datetime.fromtimestamp((UUID(saga_id).int >> 80) / 1000, UTC)  # the orchestrator's clock, in a UUIDv7
        assert abs(datetime.now(UTC) - began) > timedelta(seconds=TEN_MINUTES / 2), "its clock was not wrong"
        await system.ended(saga_id)
        assert (await system.saga(saga_id))["step"] in PAYMENT_TIMEOUT.ends
        await system.agree([saga_id])
        await assert_all_well(system, history)


@pytest.mark.proves("clock-skew")
async def test_replicas_whose_clocks_differ_retry_each_others_messages_in_time(system: System) -> None:
    async with beside(system, PAYMENT, CLOCK_SKEW_SECONDS=str(TEN_MINUTES)) as second:
        await system[PAYMENT].restart(CLOCK_SKEW_SECONDS=str(-TEN_MINUTES))
        async with broken(system, PAYMENT, "payments"):
            saga_ids = [await system.checkout() for _ in range(SAGAS)]
            await hold(system.databases, *saga_ids)
            await eventually(lambda: assert_parked((system[PAYMENT], second), SAGAS))
        await system.agree(saga_ids)
    await assert_audit_is_clean()


@pytest.mark.proves("sigstop")
@pytest.mark.parametrize("service", CONSUMERS, ids=lambda service: service.name)
async def test_a_consumer_that_stands_still_is_thrown_out_of_its_group_and_comes_back(
    system: System, service: Service
) -> None:
    async with beside(system, service), load(system.http, CALLERS) as history:
        await history.grows(5 * CALLERS)
        await assert_members(service, 2)
        async with system[service].frozen():
            since = monotonic()
            await eventually(lambda: assert_members(service, 1))
            await asyncio.sleep(since + STANDS_STILL_SECONDS - monotonic())  # how long is what is tested
        await eventually(lambda: assert_members(service, 2))
        await history.grows(5 * CALLERS, within=60)
    await assert_all_well(system, history)


async def assert_many(cuts: list[int]) -> None:
    assert sum(cuts) > 2 * CALLERS, f"only {sum(cuts)} connections were cut"


@pytest.mark.proves("backend-terminated")
async def test_databases_that_end_all_connections_again_and_again_lose_nothing(system: System) -> None:
    async with load(system.http, CALLERS) as history:
        await history.grows(CALLERS)
        async with connections_cut(system) as cuts:
            await history.grows(3 * CALLERS, within=60)
            await eventually(lambda: assert_many(cuts), within=60)
        await history.grows(2 * CALLERS, within=60)
    await assert_all_well(system, history)
    await assert_none_parked(system)


@pytest.mark.proves("kafka-log-lost")
async def test_sagas_in_flight_when_kafka_loses_its_log_end_after_republish(system: System) -> None:
    since = datetime.now(UTC).isoformat()
    await system[INVENTORY].end()
    without_command = [await system.checkout() for _ in range(SAGAS)]
    await system.sent(ORCHESTRATOR, "ReserveInventory", without_command)
    async with system[PAYMENT].frozen():
        without_reply = [await system.checkout() for _ in range(SAGAS)]
        await system.sent(ORCHESTRATOR, "ChargePayment", without_reply)
        await system[ORCHESTRATOR].end()
    await system.sent(PAYMENT, "PaymentCharged", without_reply)
    await hold(system.databases, *without_command, *without_reply)

    async with log_lost(system):
        for process in system.processes.values():
            await process.end()
    for process in system.processes.values():
        process.start()
    await system.ready()
    found = {(await system.saga(saga_id))["status"] for saga_id in (*without_command, *without_reply)}
    assert found == {"RUNNING"}, "what was lost was not missed"

    done = await ops("republish", "--since", since)
    assert done.code == 0, done.out + done.error
    await system.agree([*without_command, *without_reply])
    await assert_audit_is_clean()


@asynccontextmanager
async def beside(system: System, service: Service, **settings: str) -> AsyncIterator[Process]:
    """A second replica of one service."""
    second = Process(service, replica=1)
    second.start(**{"ORDER_SERVICE_URL": HERE.url(ORDER)} | settings)
    try:
        await second.ready()
        yield second
        await system.ready()
        assert second.lives
    finally:
        await second.end()


async def assert_parked(processes: Collection[Process], wanted: int) -> None:
    parked = [await process.metric("parked_messages_total") for process in processes]
    assert all(parked), f"one of the two parked nothing: {parked}"
    assert sum(parked) >= wanted
