"""A service that cannot start yet: what it says, and that it ends when it is told to."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from chassis import migrations
from chassis.login import login_of
from chassis.settings import Settings
from tests.support.ports import unused_port


@asynccontextmanager
async def starting(settings: Settings, **more: object) -> AsyncIterator[Process]:
    """The payment service as a process of its own."""
    told = settings.model_dump(include={"pghost", "pgport", "pguser", "pgpassword", "pgdatabase", "kafka_broker"})
    variables = {name.upper(): str(value) for name, value in (told | {"port": unused_port()} | more).items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "payment_service.main"), env=os.environ | variables, stdout=PIPE, stderr=STDOUT
    )
    yield process
    if process.returncode is None:
        process.kill()
        await process.wait()


async def said(process: Process, wanted: str) -> str:
    """The first line with this in it."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while wanted not in (line := (await process.stdout.readline()).decode()):
            assert line, f"it ended without saying {wanted}"
    return line


async def ends(process: Process) -> str:
    """What else it says."""
    async with asyncio.timeout(10):
        output, _ = await process.communicate()
    return output.decode()


async def test_told_to_end_while_it_waits_for_the_database_it_does(settings: Settings) -> None:
    async with starting(settings, pgport=(nowhere := unused_port())) as process:
        line = await said(process, "waiting for the database")
        assert f"127.0.0.1:{nowhere}" in line
        assert "PGHOST, PGPORT" in line
        process.terminate()
        assert "Traceback" not in await ends(process)


@pytest.fixture
async def lock_held(settings: Settings) -> AsyncIterator[int]:
    """By this pid."""
    holder = await asyncpg.connect(**login_of(settings))
    await holder.execute("select pg_advisory_lock($1)", migrations.ADVISORY_LOCK)
    yield holder.get_server_pid()
    await holder.close()


async def test_told_to_end_while_it_waits_for_the_migration_lock_it_does(settings: Settings, lock_held: int) -> None:
    async with starting(settings) as process:
        assert f"pid {lock_held} " in await said(process, "a migration waits")
        process.terminate()
        assert "Traceback" not in await ends(process)


async def test_a_lock_that_is_never_let_go_is_one_line_and_the_end(settings: Settings, lock_held: int) -> None:
    async with starting(settings, startup_wait_seconds=0.5) as process:
        assert f"the migration lock, held by pid {lock_held} " in await said(process, "cannot start")
        assert "Traceback" not in await ends(process)


async def test_a_server_without_tls_is_refused_by_name_of_the_setting(settings: Settings) -> None:
    async with starting(settings, pgsslmode="require", startup_wait_seconds=0.1) as process:
        assert "look at PGSSLMODE" in await said(process, "cannot start")
        assert "Traceback" not in await ends(process)
