"""Migrations: forward only, one transaction each, one process at a time, and never edited afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from chassis import database, migrations, outbox
from chassis.errors import MigrationChanged, MigrationWaits
from chassis.messages import Message, by_type
from chassis.outbox import Lease
from chassis.settings import Settings
from saga_orchestrator import queries
from saga_orchestrator import saga as engine
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.instance import TimedOut
from saga_orchestrator.messages import SENDS, OrderCreated
from tests.integration.checkouts import a_start, replica, tell
from tests.support.eventually import eventually

Connection = asyncpg.Connection

FIRST_COLUMNS = ("saga_id", "created_at", "status", "step", "position", "direction", "awaiting", "attempt", "deadline")
FIRST_ROW = f"""
insert into sagas ({", ".join(FIRST_COLUMNS)}, seq, start, order_id)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, 2, start, (start ->> 'orderId')::uuid
from (values ($10::jsonb)) as body (start)"""
TO_SEND = """
insert into outbox (message_id, causation_id, destination, type, key, body, publish_after)
values ($1, $2, $3, $4, $5, $6, now() - interval '1 s')"""
"""As the first version wrote it."""


async def connect(settings: Settings) -> Connection:
    return await asyncpg.connect(
        host=settings.pghost,
        port=settings.pgport,
        user=settings.pguser,
        password=settings.pgpassword,
        database=settings.pgdatabase,
    )


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[Connection]:
    connection = await connect(settings)
    yield connection
    await connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("create table numbers (number int); insert into numbers values (1);")
    return tmp_path


async def numbers(connection: Connection) -> list[int]:
    return [row["number"] for row in await connection.fetch("select number from numbers order by number")]


async def test_a_migration_that_was_applied_is_not_applied_again(connection: Connection, folder: Path) -> None:
    await migrations.apply(connection, [folder])
    await migrations.apply(connection, [folder])
    assert await numbers(connection) == [1]


async def test_what_is_new_is_applied_in_the_order_of_its_name(connection: Connection, folder: Path) -> None:
    await migrations.apply(connection, [folder])
    (folder / "0003_third.sql").write_text("insert into numbers select max(number) * 10 from numbers")
    (folder / "0002_second.sql").write_text("insert into numbers values (2)")
    (folder / "README.md").write_text("not SQL")
    await migrations.apply(connection, [folder])
    assert await numbers(connection) == [1, 2, 20]


async def test_two_processes_that_start_at_once_apply_it_once(settings: Settings, folder: Path) -> None:
    (folder / "0001_first.sql").write_text("create table numbers (number int); select pg_sleep(0.2)")
    (folder / "0002_second.sql").write_text("insert into numbers values (2)")
    both = [await connect(settings), await connect(settings)]
    await asyncio.gather(*(migrations.apply(connection, [folder]) for connection in both))
    assert await numbers(both[0]) == [2]
    await asyncio.gather(*(connection.close() for connection in both))


async def test_an_edited_migration_is_refused_by_name(connection: Connection, folder: Path) -> None:
    await migrations.apply(connection, [folder])
    (folder / "0001_first.sql").write_text("create table numbers (number bigint)")
    with pytest.raises(MigrationChanged, match="0001_first"):
        await migrations.apply(connection, [folder])
    assert await numbers(connection) == [1]


async def test_a_migration_that_fails_leaves_nothing_and_can_be_mended(connection: Connection, folder: Path) -> None:
    broken = folder / "0002_broken.sql"
    broken.write_text("insert into numbers values (2); insert into nowhere values (3)")
    with pytest.raises(asyncpg.UndefinedTableError):
        await migrations.apply(connection, [folder])
    assert await numbers(connection) == [1]
    broken.write_text("insert into numbers values (3)")
    await migrations.apply(connection, [folder])
    assert await numbers(connection) == [1, 3]


async def test_a_process_that_died_in_the_middle_does_not_lock_out_the_next(settings: Settings, folder: Path) -> None:
    slow = folder / "0002_slow.sql"
    slow.write_text("select pg_sleep(60)")
    first, second = await connect(settings), await connect(settings)
    process = first.get_server_pid()
    dying = asyncio.create_task(migrations.apply(first, [folder]))

    async def sleeps() -> None:
        query = "select count(*) from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"
        assert await second.fetchval(query, process)

    await eventually(sleeps)
    await second.execute("select pg_terminate_backend($1)", process)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await dying
    slow.write_text("select 1")
    await migrations.apply(second, [folder])
    assert await numbers(second) == [1]
    await second.close()


async def test_who_holds_the_migration_lock_is_named_and_not_waited_for_for_ever(
    settings: Settings, connection: Connection, folder: Path
) -> None:
    async with holding(settings, f"select pg_advisory_lock({migrations.ADVISORY_LOCK})") as holder:
        with capture_logs() as log, pytest.raises(MigrationWaits, match=f"the migration lock, held by pid {holder} "):
            await migrations.apply(connection, [folder], most_seconds=1.0)
    assert [line["waits_for"] for line in log] == ["the migration lock"]
    assert log[0]["held_by"].startswith(f"pid {holder} (no name, idle) since ")
    await migrations.apply(connection, [folder], most_seconds=1.0)
    assert await numbers(connection) == [1]


async def test_a_table_that_somebody_holds_is_asked_for_again_and_others_are_not_held_up_behind(
    settings: Settings, connection: Connection, folder: Path
) -> None:
    await migrations.apply(connection, [folder])
    (folder / "0002_second.sql").write_text("alter table numbers add column note text")
    other = await connect(settings)
    await other.execute("set statement_timeout = 1000")
    with capture_logs() as log:
        async with holding(settings, "begin", "select from numbers") as holder:
            applying = asyncio.create_task(migrations.apply(connection, [folder]))

            async def queues() -> None:
                query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'alter%'"
                assert await other.fetchval(query)

            await eventually(queues)
            assert await numbers(other) == [1]  # behind it, and in time

            async def said() -> None:
                assert log

            await eventually(said)
            assert not applying.done()
        await applying
    assert log[0]["waits_for"] == "a table that 0002_second.sql changes"
    assert log[0]["held_by"].startswith(f"pid {holder} (no name, idle in transaction) since ")
    assert await other.fetchval("select count(*) from numbers where note is null") == 1
    await other.close()


async def test_a_table_that_is_never_let_go_ends_the_start(
    settings: Settings, connection: Connection, folder: Path
) -> None:
    await migrations.apply(connection, [folder])
    (folder / "0002_second.sql").write_text("alter table numbers add column note text")
    async with holding(settings, "begin", "select from numbers") as holder:
        with pytest.raises(MigrationWaits, match=f"a table that 0002_second.sql changes, held by pid {holder} "):
            await migrations.apply(connection, [folder], most_seconds=0.1)


@asynccontextmanager
async def holding(settings: Settings, *statements: str) -> AsyncIterator[int]:
    """While the body runs, a session that has done this and does no more; its pid."""
    holder = await connect(settings)
    for statement in statements:
        await holder.execute(statement)
    yield holder.get_server_pid()
    await holder.close()


async def test_the_list_of_migrations_held_by_somebody_ends_the_start_too(
    connection: Connection, settings: Settings, folder: Path
) -> None:
    await migrations.apply(connection, [folder])
    async with holding(settings, "begin", "lock table schema_migrations") as pid:
        with pytest.raises(MigrationWaits, match=f"the table schema_migrations, held by pid {pid} "):
            await migrations.apply(connection, [folder], most_seconds=0.1)
    await migrations.apply(connection, [folder])


async def test_a_saga_that_the_first_version_began_is_carried_on(
    settings: Settings, connection: Connection, tmp_path: Path
) -> None:
    theirs = files("chassis") / "migrations", files("saga_orchestrator") / "migrations"
    for number, (folder, name) in enumerate(zip(theirs, ("0000_messaging.sql", "0001_sagas.sql"), strict=True)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / name).write_text((folder / name).read_text())
    await migrations.apply(connection, [tmp_path / "0", tmp_path / "1"])
    begin = Message.new(a_start())
    began = engine.decide(CHECKOUT, None, begin, datetime(2025, 1, 1, tzinfo=UTC), uuid4())
    (command,) = began.outgoing
    await connection.execute(FIRST_ROW, *(getattr(began.saga, name) for name in FIRST_COLUMNS), begin.body.to_json())
    ids, body = (command.id, command.causation_id, command.destination, command.type, command.key), command.body
    await connection.execute(TO_SEND, *ids, body.to_json())
    async with database.connect(settings, theirs[1]) as pool, replica(pool, settings) as batcher:
        assert await queries.find_overdue(pool, 10, furthest_seconds=60) == [
            TimedOut(saga_id=begin.key, awaiting=command.id, attempt=1, seq=2),
        ]
        assert await outbox.tend(pool, [], Lease(10, 1, 1), by_type(SENDS), most=10) == (1, [command])
        saga = await tell(batcher, OrderCreated(saga_id=begin.key), command)
        assert (saga.step, saga.version) == ("ORDER_CREATED", 1)
        assert await pool.fetchval("select max(version) from sagas") == 2
