"""What has been counted so far: commits, statements and WAL by database, batches by service, requests by the broker."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg

from bench.counters import MAX_REPLICAS
from local.instance import DATABASES, HOST, SERVICES, Database, Instance, Service

METRICS = re.compile(r"((?:batch_messages|order_call_commands)_(?:sum|count)|swept_messages_total) (\S+)")
REQUESTS = re.compile(r'kafka_requests_total\{request="(\w+)".*\} (\S+)')
TRAFFIC = re.compile(r"kafka_(\w+)_total (\S+)")
COUNTED_BY_POSTGRES = """
select d.xact_commit as commits, d.xact_rollback as rollbacks, w.wal_bytes::float8 as wal_bytes,
       w.wal_fpi::float8 as page_images, (to_jsonb(w) ->> 'wal_sync')::float8 as fsyncs
from pg_stat_database d, pg_stat_wal w where d.datname = $1"""
PRELOADED = "select setting ~ 'pg_stat_statements' from pg_settings where name = 'shared_preload_libraries'"
STATEMENTS = """
select coalesce(sum(calls), 0)::float8 from pg_stat_statements join pg_database on oid = dbid where datname = $1"""
OF_THE_BROKER = {
    "AllocateProducerIds",
    "BrokerHeartbeat",
    "BrokerRegistration",
    "ControllerRegistration",
    "FetchFollower",
}
COUNTED_TWICE = "FetchConsumer"


@dataclass(frozen=True)
class Books:
    """By database, by service, and of the broker; a figure that cannot be had is left out."""

    databases: dict[str, dict[str, float]]
    services: dict[str, dict[str, float]]
    kafka: dict[str, float]


async def read(instance: Instance) -> Books:
    """What has been counted until now."""
    databases = {database.name: await _database(instance, database) for database in DATABASES}
    return Books(databases, {service.name: _service(instance, service) for service in SERVICES}, _kafka(instance))


async def connect(instance: Instance, database: Database, name: str | None = None) -> "asyncpg.Connection[Any]":
    """To the service's database, or to another one of its cluster."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(
        **instance.login(database) | {"database": name or database.name}
    )
    return connection


async def _database(instance: Instance, database: Database) -> dict[str, float]:
    """Asked from the database beside it, so that asking does not count."""
    connection = await connect(instance, database, "postgres")
    try:
        counted = dict(await connection.fetchrow(COUNTED_BY_POSTGRES, database.name) or {})
        if await connection.fetchval(PRELOADED):
            await connection.execute("create extension if not exists pg_stat_statements")
            counted["statements"] = await connection.fetchval(STATEMENTS, database.name)
        return {name: float(value) for name, value in counted.items() if value is not None}
    finally:
        await connection.close()


def _service(instance: Instance, service: Service) -> dict[str, float]:
    """The sum over its replicas."""
    urls = (f"{instance.url(service, replica)}/metrics" for replica in range(MAX_REPLICAS))
    return _sums(METRICS, (line for url in urls for line in _lines(url)))


def _kafka(instance: Instance) -> dict[str, float]:
    """Requests by name, and MessagesIn, BytesIn, BytesOut; nothing of a broker that is not measured."""
    lines = list(_lines(f"http://{HOST}:{instance.kafka_metrics_port}/metrics"))
    requests = {name: n for name, n in _sums(REQUESTS, lines).items() if name not in {*OF_THE_BROKER, COUNTED_TWICE}}
    return requests | _sums(TRAFFIC, lines)


def _sums(pattern: re.Pattern[str], lines: Iterable[str]) -> dict[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for line in lines:
        if found := pattern.fullmatch(line):
            total[found[1]] += float(found[2])
    return dict(total)


def _lines(url: str) -> list[str]:
    try:
        with urlopen(url, timeout=5) as answer:
            return list(answer.read().decode().splitlines())
    except URLError:
        return []
