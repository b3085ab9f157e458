"""What the stack has used so far: CPU and memory by process, commits and WAL by database, batches by service."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg
import psutil

from local.instance import DATABASES, HOST, REPLICA_STEP, SERVICES, Database, Instance

MAX_REPLICAS = 8
STATEMENTS = "select sum(calls)::bigint from pg_stat_statements"
METRICS = ("batch_messages_sum", "batch_messages_count", "swept_messages_total")


@dataclass(frozen=True)
class Usage:
    """Seconds of CPU and bytes of memory by process of the stack, and CPU seconds of the whole machine."""

    cpu: dict[str, float]
    rss: dict[str, int]
    machine: float


@dataclass(frozen=True)
class Books:
    """What the databases and the services have counted; a figure that cannot be had is left out."""

    databases: dict[str, dict[str, float]]
    metrics: dict[str, dict[str, float]]


def ports(instance: Instance) -> dict[int, str]:
    """Every port at which a part of the stack may listen, and the part's name."""
    services = {
        instance.port(service) + REPLICA_STEP * replica: service.name
        for service in SERVICES
        for replica in range(MAX_REPLICAS)
    }
    databases = {instance.port(database): database.program for database in DATABASES}
    return {**services, **databases, instance.kafka_port: "kafka"}


def usage(instance: Instance) -> Usage:
    """CPU and memory now; a process that ended counts by way of the parent that waited for it."""
    cpu: dict[str, float] = {}
    rss: dict[str, int] = {}
    for name, process in _processes(instance):
        times = process.cpu_times()
        cpu[name] = cpu.get(name, 0) + sum(times[:4])
        rss[name] = rss.get(name, 0) + process.memory_info().rss - process.memory_info().shared
    machine = psutil.cpu_times()
    return Usage(cpu, rss, sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice)


def _processes(instance: Instance) -> Iterator[tuple[str, psutil.Process]]:
    names = ports(instance)
    for socket in psutil.net_connections("tcp"):
        name = names.get(socket.laddr.port) if socket.laddr and socket.status == psutil.CONN_LISTEN else None
        if name and socket.pid:
            parent = psutil.Process(socket.pid)
            for process in [parent, *parent.children(recursive=True)]:
                yield name, process


async def books(instance: Instance) -> Books:
    """What has been counted until now."""
    databases = {database.name: await _database(instance, database) for database in DATABASES}
    return Books(databases, {service.name: _metrics(instance.url(service)) for service in SERVICES})


async def connect(instance: Instance, database: Database) -> "asyncpg.Connection[Any]":
    return await asyncpg.connect(
        host=HOST, port=instance.port(database), user=database.user, password=database.password, database=database.name
    )


async def _database(instance: Instance, database: Database) -> dict[str, float]:
    connection = await connect(instance, database)
    try:
        found = await connection.fetchrow(
            """select xact_commit as commits, xact_rollback as rollbacks, w.wal_bytes::float8 as wal_bytes,
                      (to_jsonb(w) ->> 'wal_sync')::float8 as fsyncs
                 from pg_stat_database, pg_stat_wal w where datname = current_database()"""
        )
        counted = dict(found or {})
        if await connection.fetchval("select count(*) from pg_extension where extname = 'pg_stat_statements'"):
            counted["statements"] = await connection.fetchval(STATEMENTS)
        return {name: float(value) for name, value in counted.items() if value is not None}
    finally:
        await connection.close()


def _metrics(url: str) -> dict[str, float]:
    try:
        with urlopen(f"{url}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except URLError:
        return {}
    found = re.findall(rf"^({'|'.join(METRICS)}) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}
