"""What an environment does to the services: slow disks, lost connections, a lost log, broken tables, expulsion."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

from aiokafka.admin import AIOKafkaAdminClient

from local import kafka
from local.instance import SERVICES, Service
from tests.chaos.infra import KAFKA, away
from tests.chaos.processes import HERE
from tests.chaos.system import System
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER, ROOT

FLUSH_SECONDS = 0.1
IN_A_ROW = 5
"""The longest that Postgres can be made to wait before it calls fdatasync on its log."""
CUT_EVERY_SECONDS = 0.4

TERMINATE = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = $1"
REFUSE = (
    "create or replace function refuse() returns trigger language plpgsql as "
    "'begin raise ''broken'' using errcode = ''data_exception''; end'"
)
"""The message's own fault; of another one that befalls all of a batch all would wait."""
BREAK = "create or replace trigger broken before insert or update on {} for each row {} execute function refuse()"
MEND = "drop trigger if exists broken on {}"


@asynccontextmanager
async def slow_disks(system: System) -> AsyncIterator[None]:
    """Inside this block every flush of a database's log takes longer, and all commits wait for it."""
    await _set_delay(system, f"set commit_delay = {int(FLUSH_SECONDS * 1e6)}", "set commit_siblings = 0")
    try:
        for service in SERVICES:
            await eventually(partial(assert_slow, system, service))
        yield
    finally:
        await _set_delay(system, "reset commit_delay", "reset commit_siblings")


async def assert_slow(system: System, service: Service) -> None:
    """Transactions that write take as long as they should now; one alone may share the end of another's flush."""
    began = monotonic()
    for _ in range(IN_A_ROW):
        await system.database(service).execute("create table if not exists slow (); drop table slow")
    least = (IN_A_ROW - 2) * FLUSH_SECONDS
    assert monotonic() - began >= least, f"the disk of {service.database.name} is not slow"


async def _set_delay(system: System, *changes: str) -> None:
    for service in SERVICES:
        for change in changes:
            await system.database(service).execute(f"alter system {change}")
        await system.database(service).execute("select pg_reload_conf()")


@asynccontextmanager
async def connections_cut(system: System) -> AsyncIterator[list[int]]:
    """Inside this block the databases end the services' connections again and again; how many each time."""
    cuts: list[int] = []

    async def cut() -> None:
        while True:
            for service in SERVICES:
                cuts.append(await system.database(service).fetchval(TERMINATE, service.name))
            await asyncio.sleep(CUT_EVERY_SECONDS)

    async with asyncio.TaskGroup() as group:
        cutting = group.create_task(cut())
        yield cuts
        cutting.cancel()


@asynccontextmanager
async def broken(system: System, service: Service, table: str, condition: str = "") -> AsyncIterator[None]:
    """Inside this block the service cannot write such a row, as if a release had broken its table."""
    await system.database(service).execute(REFUSE)
    await system.database(service).execute(BREAK.format(table, f"when ({condition})" if condition else ""))
    try:
        yield
    finally:
        await system.database(service).execute(MEND.format(table))


@asynccontextmanager
async def log_lost(system: System) -> AsyncIterator[None]:
    """Kafka is killed and its log folder lost; after the block it is there, empty, with its topics."""
    async with away(KAFKA):
        shutil.rmtree(HERE.folder / "kafka")
        await asyncio.to_thread(kafka.prepare, HERE, for_proxy=True)
        yield
    init = await asyncio.create_subprocess_exec(sys.executable, "-m", "kafka_init", cwd=ROOT)
    assert await init.wait() == 0


async def assert_members(service: Service, wanted: int) -> None:
    """How many consumers the broker counts in the service's group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA_BROKER)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([service.name])
        ((_, _, _, _, _, members, *_),) = answer.groups
    finally:
        await admin.close()
    assert len(members) == wanted, f"{len(members)} members of {service.name}"
