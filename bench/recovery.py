"""How the orchestrator takes up many sagas that were under way when it last lived, and what newcomers notice of it."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from audit.databases import Address, addresses, login
from bench import books, consistent, counters
from bench.cell import Cell
from bench.consistent import LOG, REQUESTS
from bench.load import Plan
from bench.measure import measure
from bench.report import machine
from bench.session import RESULTS, console, ports
from bench.stack import ours, running
from local.instance import ORCHESTRATOR, ORDER, Instance

NEWCOMERS = 4
NEWCOMERS_SECONDS = 30
END_SECONDS = 1800
LOOK_SECONDS = 0.5
EVERY_FIFTH = 5
"""Of the sagas of bench/consistent.py: its script is a success. Here it stands still after ChargePayment."""

ONLY_BEGUN = f"""
alter view pg_temp.events rename to whole_events;
create temp view events as select * from whole_events where n % {EVERY_FIFTH} = 0 and seq <= 4;
alter view pg_temp.bodies rename to all_bodies;
create temp view bodies as select * from all_bodies where n % {EVERY_FIFTH} = 0;
"""
SAGAS = """
insert into sagas (saga_id, order_id, status, step, position, direction, attempt, start, seq, awaiting, deadline)
select pg_temp.id(n, 'saga'), pg_temp.id(n, 'order'), 'RUNNING', 'ORDER_CREATED', 1, 'FORWARD', 1,
    body || '{"forcePaymentFail": false, "forceInventoryFail": false}', 4, pg_temp.id(n, 'message4'),
    now() - interval '1 minute' from bodies"""
ORDERS = """
insert into orders (order_id, user_id, total_amount, status)
select pg_temp.id(n, 'order'), 'u' || n, pg_temp.cents(n), 'PENDING' from bodies"""
BEGUN = {
    ORCHESTRATOR: (SAGAS, LOG, REQUESTS, *consistent.messages("SENT", "RECEIVED", ".")),
    ORDER: (ORDERS, consistent.INBOX.format(kind="SENT", types="Order$")),
}
LEFT = """
select count(*) filter (where version = 1) as untouched, count(*) as running from sagas
where status = 'RUNNING' and start ->> 'userId' like 'u%'"""


@dataclass
class Recovery:
    """Seconds count from the start of the processes; `newcomers` checked out as soon as they were ready."""

    sagas: int
    ready_seconds: dict[str, float]
    taken_up_seconds: float = 0
    ended_seconds: float = 0
    most_rss_mb: float = 0
    newcomers: Cell | None = None
    machine: dict[str, str] = field(default_factory=machine)


async def recover(instance: Instance, broker: str, sagas: int) -> Recovery:
    """On an instance of which only Postgres and Kafka run: begin so many sagas by SQL, then start the services."""
    where = dict(zip(consistent.PACKAGES, addresses(instance.port_offset), strict=True))
    for package, address in where.items():
        await consistent.migrate(address, package)
    console.print(f"beginning {sagas:,} sagas")
    for service, statements in BEGUN.items():
        await _begin(where[service.package], statements, sagas)
    began = monotonic()
    with running(instance, broker, RESULTS / "recovery.log", ours) as ready:
        found = Recovery(sagas, {service.name: seconds for service, seconds in ready.items()})
        newcomers = asyncio.create_task(measure(instance, Plan(ports(instance), NEWCOMERS, NEWCOMERS_SECONDS)))
        await _watch(instance, found, began)
        found.newcomers = await newcomers
    return found


async def _begin(address: Address, statements: tuple[str, ...], sagas: int) -> None:
    connection = await login(address)
    await connection.execute("set synchronous_commit = off; set session_replication_role = replica")
    await connection.execute("set enable_nestloop = off")  # how many rows the views have cannot be guessed
    await connection.execute(consistent.FUNCTIONS.format(first=1, last=sagas * EVERY_FIFTH))
    for statement in (ONLY_BEGUN, *statements, "analyze"):
        await connection.execute(statement)
    await connection.close()


async def _watch(instance: Instance, found: Recovery, began: float) -> None:
    """Until every saga that had begun has ended."""
    orchestrator: Any = await books.connect(instance, ORCHESTRATOR.database)
    with console.status("") as status:
        while not found.ended_seconds and monotonic() - began < END_SECONDS:
            left, seconds = await orchestrator.fetchrow(LEFT), monotonic() - began
            status.update(f"{seconds:.0f} s: {left['untouched']:,} not taken up yet, {left['running']:,} running")
            rss = counters.usage(instance).rss.get(ORCHESTRATOR.name, 0) / 2**20
            found.most_rss_mb = max(found.most_rss_mb, rss)
            if not left["untouched"]:
                found.taken_up_seconds = found.taken_up_seconds or seconds
            if not left["running"]:
                found.ended_seconds = seconds
            await asyncio.sleep(LOOK_SECONDS)
    await orchestrator.close()
