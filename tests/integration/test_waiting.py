"""The orchestrator's loops on its database: deadlines fire, and nobody waits in vain."""

import asyncio

from structlog.testing import capture_logs

from chassis.database import Pool
from chassis.loops import background
from chassis.settings import Settings as ChassisSettings
from saga_orchestrator.deadlines import Deadlines
from saga_orchestrator.instance import Status
from saga_orchestrator.messages import OrderRejected
from saga_orchestrator.settings import Settings
from saga_orchestrator.waiters import Waiters
from tests.integration.checkouts import a_start, fail_at_the_payment, replica, stored, tell
from tests.support.eventually import eventually

QUICK = {"deadline_check_seconds": 0.05, "deadline_busy_check_seconds": 0.02, "waiter_check_seconds": 0.02}


def quick(settings: ChassisSettings) -> Settings:
    return Settings(**settings.model_dump() | QUICK)


async def test_a_deadline_that_has_passed_sends_the_command_again_under_its_id(sagas: Pool, settings: Settings) -> None:
    start = a_start()
    orchestrator = Settings(**settings.model_dump() | QUICK)
    async with replica(sagas, settings) as batcher:
        saga = await tell(batcher, start)
        await sagas.execute("update sagas set deadline = now() - interval '1 second'")
        async with background(deadlines=Deadlines(batcher, sagas, orchestrator).run):

            async def tried_again() -> None:
                assert (await stored(sagas, start)).attempt == 2

            await eventually(tried_again)
    assert (await stored(sagas, start)).awaiting == saga.awaiting
    assert await sagas.fetchval("select array_agg(message_id) from outbox") == [saga.awaiting]


async def attempts(sagas: Pool) -> list[int]:
    return [row["attempt"] for row in await sagas.fetch("select attempt from sagas where status = 'RUNNING'")]


async def test_more_are_woken_only_as_those_woken_before_end(sagas: Pool, settings: Settings) -> None:
    starts = [a_start() for _ in range(5)]
    orchestrator = Settings(
        **settings.model_dump() | QUICK | {"deadline_woken_max_sagas": 3, "deadline_woken_seconds": 60}
    )
    async with replica(sagas, settings) as batcher:
        for start in starts:
            await tell(batcher, start)
        await sagas.execute("update sagas set deadline = now() - interval '1 second'")
        async with background(deadlines=Deadlines(batcher, sagas, orchestrator).run):

            async def three_are_awake() -> None:
                assert sorted(await attempts(sagas)) == [1, 1, 2, 2, 2]

            await eventually(three_are_awake)
            (awake,) = await sagas.fetch("select array_agg(saga_id) as ids from sagas where attempt = 2")
            for saga_id in awake["ids"]:
                await tell(batcher, OrderRejected(saga_id=saga_id, reason="no"))

            async def the_others_are_awake() -> None:
                assert await attempts(sagas) == [2, 2]

            await eventually(the_others_are_awake)
    log = await sagas.fetch(
        "select type from saga_events where type in ('TimedOut', 'OrderRejected') order by at limit 4"
    )
    assert [entry["type"] for entry in log] == ["TimedOut", "TimedOut", "TimedOut", "OrderRejected"]


async def test_two_replicas_wake_twice_as_many(sagas: Pool, settings: Settings) -> None:
    limit = {"deadline_woken_max_sagas": 3, "deadline_woken_seconds": 60}
    orchestrator = Settings(**settings.model_dump() | QUICK | limit)
    async with replica(sagas, settings) as first, replica(sagas, settings) as second:
        for _ in range(8):
            await tell(first, a_start())
        await sagas.execute("update sagas set deadline = now() - interval '1 second'")
        one, other = (Deadlines(batcher, sagas, orchestrator) for batcher in (first, second))
        async with background(one=one.run, other=other.run):

            async def six_are_awake() -> None:
                assert sorted(await attempts(sagas)) == [1, 1, 2, 2, 2, 2, 2, 2]

            await eventually(six_are_awake)


async def test_a_saga_whose_participant_is_away_does_not_keep_others_asleep(sagas: Pool, settings: Settings) -> None:
    orchestrator = Settings(
        **settings.model_dump() | QUICK | {"deadline_woken_max_sagas": 1, "deadline_woken_seconds": 0.1}
    )
    async with replica(sagas, settings) as batcher:
        for _ in range(3):
            await tell(batcher, a_start())
        await sagas.execute("update sagas set deadline = now() - interval '1 second'")
        async with background(deadlines=Deadlines(batcher, sagas, orchestrator).run):

            async def all_are_awake() -> None:
                assert await attempts(sagas) == [2, 2, 2]

            await eventually(all_are_awake)


async def test_a_saga_that_cannot_be_woken_keeps_no_other_asleep(sagas: Pool, settings: Settings) -> None:
    bad, good = a_start(), a_start()
    orchestrator = Settings(**settings.model_dump() | QUICK)
    async with replica(sagas, settings) as first:
        await tell(first, bad)
        await tell(first, good)
    await sagas.execute("update sagas set start = '{}' where saga_id = $1", bad.saga_id)
    async with replica(sagas, settings) as batcher, asyncio.TaskGroup() as group:
        deadlines = group.create_task(Deadlines(batcher, sagas, orchestrator).run())
        for attempt in (2, 3):
            await sagas.execute("update sagas set deadline = now() - interval '1 second'")

            async def tried(attempt: int = attempt) -> None:
                assert (await stored(sagas, good)).attempt == attempt

            await eventually(tried)
        deadlines.cancel()


async def test_a_saga_that_cannot_be_woken_is_left_for_a_while_and_then_tried_again(
    sagas: Pool, settings: Settings
) -> None:
    bad, good = a_start(), a_start()
    async with replica(sagas, settings) as first:
        await tell(first, bad)
        await tell(first, good)
    await sagas.execute("update sagas set start = '{}' where saga_id = $1", bad.saga_id)

    async def refusals(refused_seconds: float) -> int:
        """How often the bad one could not be woken while the good one was woken three times."""
        orchestrator = Settings(**settings.model_dump() | QUICK | {"deadline_refused_seconds": refused_seconds})
        async with replica(sagas, settings) as batcher:
            with capture_logs() as log:
                async with background(deadlines=Deadlines(batcher, sagas, orchestrator).run):
                    for _ in range(3):
                        before = (await stored(sagas, good)).seq
                        await sagas.execute("update sagas set deadline = now() - interval '1 second'")

                        async def woken(before: int = before) -> None:
                            assert (await stored(sagas, good)).seq > before

                        await eventually(woken)
        return sum(entry["event"] == "a saga cannot be woken" for entry in log)

    assert await refusals(refused_seconds=3600) == 1
    assert await refusals(refused_seconds=0.001) > 1


async def test_a_caller_learns_of_an_end_that_another_replica_brought_about(sagas: Pool, settings: Settings) -> None:
    start, waiters = a_start(), Waiters(sagas, quick(settings))
    async with replica(sagas, settings) as other, background(waiters=waiters.run):
        with waiters.waiting(start.saga_id) as ended:
            await fail_at_the_payment(other, start)
            async with asyncio.timeout(30):
                saga = await ended
    assert (saga.status, saga.step, saga.reason) == (Status.FAILED, "PAYMENT_FAILED", "DECLINED")


async def test_a_caller_is_not_told_of_a_saga_that_still_runs(sagas: Pool, settings: Settings) -> None:
    start, waiters = a_start(), Waiters(sagas, quick(settings))
    async with replica(sagas, settings) as batcher:
        with waiters.waiting(start.saga_id) as first, waiters.waiting(start.saga_id) as second:
            waiters.resolve([await tell(batcher, start)])
            assert not first.done()
            waiters.resolve([await tell(batcher, OrderRejected(saga_id=start.saga_id, reason="no"))])
            assert first.result() is second.result()
    assert not waiters._futures
