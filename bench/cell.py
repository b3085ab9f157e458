"""One cell of the table: so many callers for so long, what they saw and what it cost."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import monotonic, process_time

from bench import counters
from bench.load import Outcome, Plan
from local.instance import ORCHESTRATOR, Instance

END_SECONDS = 60
FLUSH_SECONDS = 1.3
"""Postgres's backends report their counts about once a second."""
GOOD = {"200", "202"}
REFUSED = {"402", "409"}
UNFINISHED = "select count(*) filter (where status = 'RUNNING') from sagas where created_at >= $1"
STORED = "select count(*) from sagas where created_at >= $1"


@dataclass
class Cell:
    """Latencies in ms; `cpu_ms`, `commits`, `fsyncs`, `wal_bytes` are per saga, by process or by database."""

    callers: int
    seconds: float
    mixed: bool
    rate: float
    sagas: int
    per_second: float
    latency_ms: dict[str, float]
    statuses: dict[str, int]
    errors: list[str]
    cpu_ms: dict[str, float]
    commits: dict[str, float] = field(default_factory=dict)
    rollbacks: dict[str, float] = field(default_factory=dict)
    statements: dict[str, float] = field(default_factory=dict)
    fsyncs: dict[str, float] = field(default_factory=dict)
    wal_bytes: dict[str, float] = field(default_factory=dict)
    batch_size: dict[str, float] = field(default_factory=dict)
    swept: float = 0
    rss_mb: dict[str, float] = field(default_factory=dict)
    load_average: float = 0
    other_cores: float = 0
    calibration_ms: float = 0

    @property
    def cpu_total(self) -> float:
        return sum(self.cpu_ms.values())


async def measure(instance: Instance, plan: Plan, note: Callable[[str], None] = lambda _: None) -> Cell:
    """Run the plan against the stack, wait until every saga has ended, and read the meters."""
    load_average = os.getloadavg()[0]
    calibration = calibrate()
    orchestrator = await counters.connect(instance, ORCHESTRATOR.database)
    try:
        started_at = await orchestrator.fetchval("select clock_timestamp()")
        load = await _start_load(plan)
        books, usage, began = await counters.books(instance), counters.usage(instance), monotonic()
        outcome = await _go(load, plan, note)
        unfinished = 1
        give_up = monotonic() + END_SECONDS
        while unfinished and monotonic() < give_up:
            unfinished = await orchestrator.fetchval(UNFINISHED, started_at)
            if unfinished:
                note(f"{unfinished} sagas still run")
                await asyncio.sleep(0.1)
        usage_after, seconds = counters.usage(instance), monotonic() - began
        await asyncio.sleep(FLUSH_SECONDS)
        stored = await orchestrator.fetchval(STORED, started_at)
    finally:
        await orchestrator.close()
    errors = _faults(outcome, plan, stored, unfinished)
    sagas = len(outcome.latencies)
    cpu = {name: used - usage.cpu.get(name, 0) for name, used in usage_after.cpu.items()}
    cpu["load"] = outcome.cpu_seconds
    cell = Cell(
        **{k: v for k, v in asdict(plan).items() if k != "ports"},
        sagas=sagas,
        per_second=sagas / outcome.elapsed if outcome.elapsed else 0,
        latency_ms=percentiles(outcome.latencies),
        statuses=outcome.statuses,
        errors=errors,
        cpu_ms={name: 1000 * used / max(sagas, 1) for name, used in cpu.items()},
        rss_mb={name: used / 2**20 for name, used in usage_after.rss.items()},
        load_average=load_average,
        other_cores=max(usage_after.machine - usage.machine - sum(cpu.values()), 0) / seconds,
        calibration_ms=calibration,
    )
    _add(cell, books, await counters.books(instance))
    return cell


async def _start_load(plan: Plan) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "bench.load", json.dumps(asdict(plan)))
    load = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=2**26)
    assert load.stdout
    if await load.stdout.readline() != b"ready\n":
        raise RuntimeError("the load client could not connect; is the stack up?")
    return load


async def _go(load: asyncio.subprocess.Process, plan: Plan, note: Callable[[str], None]) -> Outcome:
    answer = asyncio.create_task(load.communicate(b"go\n"))
    began = monotonic()
    while not (await asyncio.wait([answer], timeout=0.5))[0]:
        note(f"{monotonic() - began:.0f} of {plan.seconds:g} s")
    return Outcome(**json.loads(answer.result()[0]))


def _faults(outcome: Outcome, plan: Plan, stored: int, unfinished: int) -> list[str]:
    """Why the run does not count."""
    allowed = GOOD | REFUSED if plan.mixed else GOOD
    return [
        *outcome.errors,
        *(f"{count} answers {status}" for status, count in outcome.statuses.items() if status not in allowed),
        *([f"{unfinished} sagas have not ended"] if unfinished else []),
        *([f"{outcome.sent} checkouts, but {stored} sagas"] if outcome.sent != stored else []),
    ]


def _add(cell: Cell, before: counters.Books, after: counters.Books) -> None:
    """The differences between two readings, per saga."""
    sagas = max(cell.sagas, 1)
    for name in ("commits", "rollbacks", "statements", "fsyncs", "wal_bytes"):
        used = {db: now[name] - before.databases[db][name] for db, now in after.databases.items() if name in now}
        setattr(cell, name, {db: value / sagas for db, value in used.items()})
    for service, now in after.metrics.items():
        grown = {name: value - before.metrics[service].get(name, 0) for name, value in now.items()}
        if batches := grown.get("batch_messages_count"):
            cell.batch_size[service] = grown["batch_messages_sum"] / batches
        cell.swept += grown.get("swept_messages_total", 0)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """In ms."""
    ranked = sorted(seconds) or [0.0]
    points = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1}
    return {name: 1000 * ranked[min(int(share * len(ranked)), len(ranked) - 1)] for name, share in points.items()}


def calibrate() -> float:
    """CPU ms of a fixed loop, the best of five: how fast this machine is just now."""

    def once() -> float:
        began = process_time()
        text = "".join(str(n) for n in range(20_000))
        sum(hash(text[n : n + 8]) & 0xFF for n in range(0, len(text), 2))
        return 1000 * (process_time() - began)

    return min(once() for _ in range(5))
