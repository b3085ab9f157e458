"""A fault that concerns everything is not the fault of one message: all wait, `/readyz` says why, nothing is parked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from structlog.typing import EventDict

from chassis import database, health, problems
from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.errors import Unavailable
from chassis.housekeeping import Housekeeping
from chassis.login import login_of
from chassis.loops import background
from chassis.relay import Relay
from chassis.settings import Settings
from tests.integration.counters import MIGRATIONS, Added, Bodies, Counter, Counters, add, total
from tests.integration.counting import counting
from tests.integration.deciders import batching
from tests.integration.topics import write
from tests.integration.transports import AcknowledgesAtOnce
from tests.support.eventually import eventually

REFUSE = """
create function refuse() returns trigger language plpgsql as $f$
begin raise exception 'not accepting commands' using errcode = '{}'; end $f$;
create trigger refuse before insert or update on counters for each row {} execute function refuse()"""

FAULTS = {
    "a table is missing": ("alter table counters rename to elsewhere", "alter table elsewhere rename to counters"),
    "a column is missing": ("alter table counters rename total to sum", "alter table counters rename sum to total"),
    "no transaction ids are left": (REFUSE.format("54000", ""), "drop function refuse cascade"),
    "an object is not in the state that it needs": (REFUSE.format("55000", ""), "drop function refuse cascade"),
    "a class of errors that asyncpg does not know": (REFUSE.format("25P04", ""), "drop function refuse cascade"),
    "an error that nobody has foreseen": (REFUSE.format("P0001", ""), "drop function refuse cascade"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_all_messages_wait_until_it_is_mended(pool: Pool, settings: Settings, fault: tuple[str, str]) -> None:
    broken, mended = fault
    await pool.execute(broken)
    messages = [add(1) for _ in range(5)]
    async with batching(pool, settings) as batcher:
        with capture_logs() as log:
            waiting = [batcher.put(message) for message in messages]
            await eventually(lambda: assert_tried(batcher, 3))
            assert not any(each.done() for each in waiting)
            assert await batcher.health() is not True
            with pytest.raises(Unavailable):
                await batcher.submit(add(2))
            await pool.execute(mended)
            await asyncio.gather(*waiting)
            assert await batcher.health() is True
    assert [await total(pool, message.key) for message in messages] == [1] * 5
    assert levels(log, "messages") == ["error", "warning"]


async def test_what_is_put_back_is_put_back_once_however_often_it_was_halved(pool: Pool, settings: Settings) -> None:
    changes = {
        "statement_timeout_ms": 100,
        "lock_timeout_ms": 10_000,
        "queue_max_messages": 10,
        "batch_max_messages": 4,
    }
    impatient = settings.model_copy(update=changes)
    messages = [add(1) for _ in range(8)]
    async with database.connect(impatient, MIGRATIONS) as theirs, batching(theirs, impatient) as batcher:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("lock table counters in access exclusive mode")
            waiting = [batcher.put(message) for message in messages]
            await eventually(lambda: assert_tried(batcher, 3))
            with pytest.raises(Unavailable):  # and not `Overloaded`
                await batcher.submit(add(2))
        await asyncio.gather(*waiting)
    assert [await total(pool, message.key) for message in messages] == [1] * 8


async def test_while_one_alone_waits_for_another_whoever_comes_is_let_in(pool: Pool, settings: Settings) -> None:
    await pool.execute(REFUSE.format("54000", "when (new.total = 7)"))
    async with batching(pool, settings) as batcher:
        bad = batcher.put(add(7))
        await eventually(lambda: assert_tried(batcher, 4))
        assert (await batcher.submit(add(1))).row is not None
        with pytest.raises(asyncpg.ProgramLimitExceededError):
            await bad


async def assert_tried(batcher: Batcher[Counter], times: int) -> None:
    assert batcher._backoff.tries >= times


async def test_one_alone_waits_too(pool: Pool, settings: Settings) -> None:
    broken, mended = FAULTS["a table is missing"]
    await pool.execute(broken)
    async with batching(pool, settings) as batcher:
        waiting = batcher.put(add(1))
        await eventually(lambda: assert_tried(batcher, 2))
        assert await batcher.health() == 'relation "counters" does not exist (42P01)'
        await pool.execute(mended)
        await waiting


async def test_a_message_is_guilty_if_another_one_works_meanwhile(pool: Pool, settings: Settings) -> None:
    await pool.execute(REFUSE.format("54000", "when (new.total = 7)"))
    bad, good = add(7), [add(1) for _ in range(6)]
    async with batching(pool, settings) as batcher:
        waiting = batcher.put(bad)
        await eventually(lambda: assert_tried(batcher, 2))
        assert not waiting.done()
        await asyncio.gather(*(batcher.put(message) for message in good))
        with pytest.raises(asyncpg.ProgramLimitExceededError):
            await waiting
    assert [await total(pool, message.key) for message in (bad, *good)] == [None, *[1] * 6]


async def test_the_consumer_pauses_and_parks_nothing(pool: Pool, settings: Settings, wired: Bodies) -> None:
    broken, mended = FAULTS["a table is missing"]
    messages = [add(1) for _ in range(20)]
    await pool.execute(broken)
    with capture_logs() as log:
        async with counting(settings, wired):
            await write(wired.add.destination, *messages)
            await eventually(lambda: assert_said(log, "messages"))
            await pool.execute(mended)
            await eventually(lambda: assert_all_added(pool, messages))
    assert not [line for line in log if line["event"] == "message parked"]
    assert levels(log, "messages") == ["error", "warning"]


def levels(log: Sequence[EventDict], work: str) -> list[str]:
    """What was said of this work."""
    return [line["log_level"] for line in log if line.get("work") == work]


async def assert_said(log: Sequence[EventDict], work: str) -> None:
    assert levels(log, work)


async def assert_all_added(pool: Pool, messages: Sequence[object]) -> None:
    assert await pool.fetchval("select count(*) from counters") == len(messages)


@asynccontextmanager
async def demoted(pool: Pool, settings: Settings) -> AsyncIterator[None]:
    """While the body runs, connections that are made find a server that takes no writes, as those that there are do."""
    await pool.execute(f"alter database {settings.pgdatabase} set default_transaction_read_only = on")
    await pool.expire_connections()
    server = await asyncpg.connect(**login_of(settings) | {"target_session_attrs": "any"})
    yield
    await server.execute("begin read write")
    await server.execute(f"alter database {settings.pgdatabase} set default_transaction_read_only = off")
    await server.execute("commit")
    await server.close()


async def test_connections_to_a_server_that_was_demoted_are_given_up(pool: Pool, settings: Settings) -> None:
    """Each old connection would find it read-only for ever: as after a failover that has left the old server alive."""
    async with pool.acquire() as one, pool.acquire() as other:
        for old in (one, other):
            await old.execute("set default_transaction_read_only = on")
    async with asyncio.timeout(20), batching(pool, settings) as batcher:
        await asyncio.gather(*(batcher.put(add(1)) for _ in range(5)))
        assert await batcher.health() is True


async def test_whoever_asks_whether_it_is_ready_finds_out_that_the_server_was_demoted(
    pool: Pool, settings: Settings
) -> None:
    batcher = Batcher(pool, Counters(), settings)
    async with pool.acquire() as old:
        await old.execute("set default_transaction_read_only = on")
    assert await batcher.health() == "the server is read-only: it was demoted, or is a standby (25006)"
    assert await batcher.health() is True


async def test_no_connection_is_made_to_a_server_that_takes_no_writes(pool: Pool, settings: Settings) -> None:
    async with batching(pool, settings) as batcher:
        async with demoted(pool, settings):
            waiting = batcher.put(add(1))
            await eventually(lambda: assert_tried(batcher, 2))
            assert "PGHOST" in str(await batcher.health())
        await waiting


async def test_a_password_that_was_changed_is_waited_for(pool: Pool, settings: Settings) -> None:
    role = f"test_{settings.pgdatabase[-8:]}"
    await pool.execute(f"create role {role} login superuser password 'first'")
    hers = settings.model_copy(update={"pguser": role, "pgpassword": "first"})
    try:
        async with database.connect(hers, MIGRATIONS) as own, batching(own, hers) as batcher:
            await batcher.submit(add(1))
            await pool.execute(f"alter role {role} password 'second'")
            await own.expire_connections()
            waiting = batcher.put(add(1))
            await eventually(lambda: assert_tried(batcher, 2))
            assert "PGPASSWORD" in str(await batcher.health())
            await pool.execute(f"alter role {role} password 'first'")
            await waiting
    finally:
        await pool.execute(f"drop owned by {role}")
        await pool.execute(f"drop role {role}")


async def test_no_loop_ends_because_of_it(pool: Pool, settings: Settings) -> None:
    hasty = settings.model_copy(update={"housekeeping_every_seconds": 0.02})
    await pool.execute("alter table outbox rename to elsewhere")
    relay = Relay(pool, hasty, [Added], kafka=AcknowledgesAtOnce())
    with capture_logs() as log:
        async with relay.running(), background(housekeeping=Housekeeping(pool, hasty).run):
            await eventually(lambda: assert_said(log, "outbox"))
            await eventually(lambda: assert_said(log, "housekeeping"))
            assert await relay.health() == 'relation "outbox" does not exist (42P01)'
            await pool.execute("alter table elsewhere rename to outbox")
            await eventually(lambda: assert_well(relay))
    assert levels(log, "outbox") == ["error", "warning"]


async def assert_well(relay: Relay) -> None:
    assert await relay.health() is True


async def test_http_says_that_it_will_be_well_again(pool: Pool, settings: Settings) -> None:
    app, batcher = FastAPI(), Batcher(pool, Counters(), settings)
    problems.install(app)
    app.include_router(health.routes(database=batcher.health))

    @app.get("/totals")
    async def totals() -> list[int]:
        return [row["total"] for row in await database.read(pool, "select total from counters")]

    await pool.execute("alter table counters rename to elsewhere")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        asked, ready = await http.get("/totals"), await http.get("/readyz")
    assert (asked.status_code, asked.headers["retry-after"]) == (503, "1")
    assert (ready.status_code, ready.json()) == (503, {"database": 'relation "counters" does not exist (42P01)'})
