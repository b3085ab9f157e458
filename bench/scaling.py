"""From what a saga costs here to what so many sagas a second need: multiplication, so that nobody does it by hand."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from bench.cell import Cell
from bench.report import Result
from local.instance import DATABASES, SERVICES

RATES = (1_000, 10_000, 100_000)
SECONDS_A_DAY = 86_400

BUSY = 0.6
"""Chosen: how much of a core may be used on average, so that peaks and a lost replica fit in."""
REPLICAS_A_PARTITION = 0.5
"""Chosen: two partitions for each replica that there must be, so that there can be more."""
COPIES = 3
"""Chosen: replicas of each Kafka record."""
POSTGRES_CORES, POSTGRES_COMMITS, POSTGRES_WAL_MB = 16, 5_000, 100
"""Chosen: what one Postgres server gives; cores, commits a second, MB of WAL a second."""
BROKER_CORES, BROKER_MB, LEAST_BROKERS = 8, 50, 3
"""Chosen: what one broker gives; cores, and MB written a second, copies included."""


@dataclass(frozen=True)
class Inputs:
    """What one saga costs, measured: a cell at 64 callers, and the bytes kept by each database if they are known."""

    result: Result
    cell: Cell
    stored_bytes: dict[str, float]


@dataclass(frozen=True)
class Server:
    """What one database must do; `servers` is how many shards of it there must be."""

    cores: float
    commits: float
    wal_mb: float
    gb_a_day: float

    @property
    def servers(self) -> int:
        return ceil(max(self.cores / POSTGRES_CORES, self.commits / POSTGRES_COMMITS, self.wal_mb / POSTGRES_WAL_MB))


@dataclass(frozen=True)
class Needs:
    """What so many sagas a second need."""

    rate: int
    replicas: dict[str, int]
    databases: dict[str, Server]
    kafka_messages: float
    kafka_requests: float
    kafka_mb_in: float
    kafka_mb_out: float
    kafka_cores: float

    @property
    def partitions(self) -> int:
        """Of each topic: a partition is the most that one replica can take of it."""
        return ceil(max(self.replicas.values()) / REPLICAS_A_PARTITION)

    @property
    def brokers(self) -> int:
        cores, written = self.kafka_cores / BROKER_CORES, self.kafka_mb_in * COPIES / BROKER_MB
        return max(LEAST_BROKERS, ceil(cores), ceil(written))


def read(result: Path, growth: Path) -> Inputs:
    """The cell at 64 callers of `make bench`, and the bytes that `make bench-growth` found a saga to leave."""
    measured = Result.read(result)
    cell = next(cell for cell in measured.cells if cell.name == "64")
    return Inputs(measured, cell, Result.read(growth).cells[-1].stored_bytes if growth.exists() else {})


def needs(inputs: Inputs, rate: int) -> Needs:
    """Everything grows with the rate; batches are taken to stay as large as they were measured."""
    cell = inputs.cell

    def cores(part: str) -> float:
        return rate * cell.cpu_ms[part] / 1000 / BUSY

    return Needs(
        rate,
        replicas={service.name: ceil(cores(service.name)) for service in SERVICES},
        databases={
            database.name: Server(
                cores=cores(database.program),
                commits=rate * cell.commits[database.name],
                wal_mb=rate * cell.wal_bytes[database.name] / 1e6,
                gb_a_day=rate * inputs.stored_bytes.get(database.name, 0) * SECONDS_A_DAY / 1e9,
            )
            for database in DATABASES
        },
        kafka_messages=rate * cell.kafka["MessagesIn"],
        kafka_requests=rate * cell.kafka_requests,
        kafka_mb_in=rate * cell.kafka["BytesIn"] / 1e6,
        kafka_mb_out=rate * (cell.kafka["BytesOut"] + (COPIES - 1) * cell.kafka["BytesIn"]) / 1e6,
        kafka_cores=cores("kafka") * COPIES,
    )
