"""One stored row that cannot be read is marked, and its own messages fail; everything else goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from audit import books
from audit.databases import Address, snapshot
from audit.replay import shapes_of
from chassis import problems
from chassis.database import Pool
from chassis.errors import Unreadable
from chassis.loops import background
from chassis.messages import Message
from chassis.settings import Settings as ChassisSettings
from ops.explain.reading import reading
from ops.explain.timeline import timeline
from saga_orchestrator import api, dashboard, operator
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.deadlines import Deadlines
from saga_orchestrator.definitions import Definitions
from saga_orchestrator.messages import OrderCreated, OrderRejected, StartCheckout
from saga_orchestrator.settings import Settings
from saga_orchestrator.waiters import Waiters
from tests.integration.checkouts import a_start, replica, stored, tell
from tests.integration.counters import Added, add, total
from tests.integration.deciders import batching
from tests.support.eventually import eventually

QUICK = {"deadline_check_seconds": 0.05, "waiter_check_seconds": 0.02, "operator_token": "sesame"}
DAMAGES = {
    "its start is none": "update sagas set start = '{}' where saga_id = $1",
    "its start is a list": "update sagas set start = '[1]' where saga_id = $1",
    "its amount is a text": 'update sagas set start = start || \'{"totalAmount": "abc"}\' where saga_id = $1',
    "its status is unknown": "update sagas set status = 'PAUSED' where saga_id = $1",
    "its direction is unknown": "update sagas set direction = 'SIDEWAYS' where saga_id = $1",
}
UNBOUND = """
alter table sagas
    drop constraint sagas_status_check, drop constraint sagas_direction_check, drop constraint sagas_check"""


@dataclass
class Shop:
    """A sound saga beside a damaged one, and the orchestrator's routes."""

    http: httpx.AsyncClient
    sagas: Pool
    settings: Settings
    good: StartCheckout
    bad: StartCheckout


@pytest.fixture(params=list(DAMAGES.values()), ids=list(DAMAGES))
async def shop(sagas: Pool, settings: ChassisSettings, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    good, bad, orchestrator = a_start(), a_start(), Settings(**settings.model_dump() | QUICK)
    async with replica(sagas, settings) as before:
        await tell(before, good)
        await tell(before, bad)
    await sagas.execute(UNBOUND)
    await sagas.execute(request.param, bad.saga_id)
    await sagas.execute("update saga_events set body = '[]' where saga_id = $1", bad.saga_id)
    async with routes(sagas, orchestrator) as http:
        yield Shop(http, sagas, orchestrator, good, bad)


@asynccontextmanager
async def routes(sagas: Pool, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app, waiters = FastAPI(), Waiters(sagas, settings)
    app.state.max_body_bytes = settings.max_body_bytes
    problems.install(app)
    definitions = Definitions(CHECKOUT, sagas, settings)
    await definitions.start()
    async with replica(sagas, settings) as batcher, background(waiters=waiters.run):
        app.include_router(api.routes(batcher, waiters, sagas, settings, lambda: None, lambda _: True))
        app.include_router(operator.routes(batcher, settings))
        app.include_router(dashboard.routes(sagas, definitions))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://orchestrator"
        ) as http:
            yield http


async def test_it_is_marked_wherever_it_is_shown(shop: Shop) -> None:
    pages = [await shop.http.get(path) for path in ("/", "/?show=RUNNING", f"/?before={shop.bad.saga_id}")]
    assert [page.status_code for page in pages] == [200] * 3
    assert str(shop.good.saga_id) in pages[0].text
    assert pages[0].text.count("cannot be read: ") == 1
    page = await shop.http.get(f"/dashboard/sagas/{shop.bad.saga_id}")
    assert (page.status_code, "cannot be read: " in page.text) == (200, True)
    found = await shop.http.get(f"/sagas/{shop.bad.saga_id}")
    assert found.status_code == 200
    assert found.json()["cannotBeRead"].startswith("cannot be read: ")
    assert [entry["body"] for entry in found.json()["events"]] == [[], []]


async def test_only_its_own_messages_fail_and_are_told_why(shop: Shop) -> None:
    retry = await shop.http.post(
        f"/sagas/{shop.bad.saga_id}/retry", json={"reason": "why"}, headers={"Authorization": "Bearer sesame"}
    )
    assert (retry.status_code, "cannot be read" in retry.json()["detail"]) == (500, True)
    async with replica(shop.sagas, shop.settings) as batcher:
        replies = [batcher.put(Message.new(OrderCreated(saga_id=each.saga_id))) for each in (shop.bad, shop.good)]
        outcomes = await asyncio.gather(*replies, return_exceptions=True)
    assert [isinstance(outcome, Unreadable) for outcome in outcomes] == [True, False]
    assert (await stored(shop.sagas, shop.good)).step == "ORDER_CREATED"


async def test_deadlines_and_waiting_callers_of_others_are_looked_after(shop: Shop) -> None:
    sagas, waiters = shop.sagas, Waiters(shop.sagas, shop.settings)
    await sagas.execute("update sagas set deadline = now() - interval '1 second'")
    async with replica(sagas, shop.settings) as batcher:
        loops = background(deadlines=Deadlines(batcher, sagas, shop.settings).run, waiters=waiters.run)
        async with loops:
            with waiters.waiting(shop.bad.saga_id), waiters.waiting(shop.good.saga_id) as ended:

                async def woken() -> None:
                    assert (await stored(sagas, shop.good)).attempt == 2

                await eventually(woken)
                await sagas.execute(
                    "update sagas set status = 'FAILED', awaiting = null, deadline = null where saga_id = $1",
                    shop.bad.saga_id,
                )
                async with replica(sagas, shop.settings) as other:
                    await tell(other, OrderRejected(saga_id=shop.good.saga_id, reason="no"))
                async with asyncio.timeout(30):
                    assert (await ended).step == "ORDER_REJECTED"


async def test_the_auditor_and_explain_name_it_and_go_on(shop: Shop) -> None:
    database = shop.settings
    where = Address(database.pghost, database.pgport, database.pguser, database.pgpassword, database.pgdatabase)
    async with snapshot(where) as connection:
        shapes = await shapes_of(connection, [shop.good.saga_id, shop.bad.saga_id])
        sql = books.SAGAS.format(sagas="", entries="", asked=books.ASKED)
        assert len(await connection.fetch(sql)) == 2
    assert shapes[shop.good.saga_id].faults == ()
    assert "cannot be read" in shapes[shop.bad.saga_id].faults[0]
    async with reading([where] * 4) as databases:
        row = await databases.saga(shop.bad.saga_id)
        log = await databases.log(row)
    assert row is not None
    assert "cannot be read" in row["cannot_be_read"]
    assert len(list(timeline(log, row["created_at"]))) == 2


async def test_an_answer_that_another_version_gave_is_given_again_from_the_row(
    pool: Pool, settings: ChassisSettings
) -> None:
    first, second = add(1), add(2)
    async with batching(pool, settings) as batcher:
        await batcher.submit(first)
        await pool.execute("update outbox set type = 'AddedByANewerVersion'")
        again, other = await asyncio.gather(batcher.submit(first), batcher.submit(second))
    assert isinstance(again.outgoing[0].body, Added)
    assert isinstance(other.outgoing[0].body, Added)
    assert await total(pool, second.key) == 2
