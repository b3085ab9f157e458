"""kill -9 of the orchestrator with much on its way, and again while it recovers; SIGTERM with nothing on its way."""

import asyncio
import signal
from time import monotonic

import pytest

from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, SERVICES, Service
from tests.chaos.forms import EXTENT
from tests.chaos.system import System, running
from tests.chaos.verdict import assert_audit_is_clean
from tests.support.consistency import books
from tests.support.eventually import eventually

AT_ONCE = 50
RECOVERY_SECONDS = 30
SHUTDOWN_SECONDS = 15
WRITES = {ORDER: ("orders", 2), PAYMENT: ("payments", 1), INVENTORY: ("reservations", 1)}
"""How often a checkout that goes well writes its row: the order is created and confirmed."""


async def begin(system: System, sagas: int) -> list[str]:
    """So many checkouts, all accepted."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with slots:
            return await system.checkout()

    return await asyncio.gather(*(one() for _ in range(sagas)))


@pytest.mark.proves("thousand-in-flight")
async def test_sagas_in_flight_by_the_thousand_end_within_30_s_of_the_orchestrators_return(system: System) -> None:
    async with system[PAYMENT].frozen():
        saga_ids = await begin(system, EXTENT.in_flight)
        assert {book.status for book in await books(system.databases, saga_ids)} == {"RUNNING"}
        await system[ORCHESTRATOR].end()
    system[ORCHESTRATOR].start()
    await system[ORCHESTRATOR].ready()
    back_at = monotonic()

    await system.agree(saga_ids, within=60)

    assert monotonic() - back_at < RECOVERY_SECONDS
    await assert_each_step_was_done_once(system, saga_ids)
    await assert_audit_is_clean()


async def assert_each_step_was_done_once(system: System, saga_ids: list[str]) -> None:
    order_ids = [book.order_id for book in await books(system.databases, saga_ids)]
    for service, (table, writes) in WRITES.items():
        query = f"select version, count(*) from {table} where order_id = any($1) group by version"
        found = {row["version"]: row["count"] for row in await system.database(service).fetch(query, order_ids)}
        assert found == {writes: len(saga_ids)}, table


@pytest.mark.proves("recovery-five-times")
async def test_an_orchestrator_that_dies_five_times_while_it_recovers_ends_every_saga() -> None:
    async with running({"RELAY_LEASE_MAX_SECONDS": "0.5"}) as system:
        orchestrator = system[ORCHESTRATOR]
        await orchestrator.arm("relay.before_send@ChargePayment")
        saga_ids = [await system.checkout()]
        await orchestrator.crashed("relay.before_send@ChargePayment", within=30)
        for _ in range(5):
            await system.owes(ORCHESTRATOR, "ChargePayment")
            orchestrator.start("relay.leased@ChargePayment")
            await orchestrator.crashed("relay.leased@ChargePayment", within=30)
        orchestrator.start()
        await orchestrator.ready()
        await system.agree(saga_ids)
        await assert_each_step_was_done_once(system, saga_ids)


@pytest.mark.proves("sigterm")
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
async def test_a_service_told_to_stop_while_idle_stops_soon_and_nothing_comes_again(service: Service) -> None:
    async with running({"RELAY_LEASE_SECONDS": "10"}) as system:  # or a slow machine would send again by itself
        await system.agree(await begin(system, 20))
        process = system[service]

        assert await process.end(signal.SIGTERM) < SHUTDOWN_SECONDS
        assert process.exit_code in (0, -signal.SIGTERM)
        process.start()
        await process.ready()
        await system.agree(await begin(system, 20))

        counted = {name: await process.metric(f"{name}_total") for name in ("duplicate_messages", "swept_messages")}
    assert counted == {"duplicate_messages": 0, "swept_messages": 0}


@pytest.mark.proves("stuck-consumer")
async def test_a_consumer_that_stands_still_with_lag_ends_its_process() -> None:
    deaf = {PAYMENT: "tests.chaos.bugs.deaf"}
    async with running({"STUCK_AFTER_SECONDS": "2", "STUCK_CHECK_SECONDS": "0.5"}, deaf) as system:
        saga_id = await system.checkout()
        payment = system[PAYMENT]

        async def has_ended() -> None:
            assert not payment.lives

        await eventually(has_ended)
        assert "lag and no progress" in payment.said()
        payment.start(module="payment_service.main")
        await payment.ready()
        await system.agree([saga_id])
