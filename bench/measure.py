"""Runs one cell: load from another process, meters read before and after."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from time import monotonic, process_time
from typing import Any

from bench import books, counters
from bench.cell import Cell, growth, percentiles
from bench.load import Outcome, Plan
from local.instance import ORCHESTRATOR, Instance

END_SECONDS = 60
FLUSH_SECONDS = 1.3
"""Postgres's backends report their counts about once a second."""
GOOD = {"200", "202"}
REFUSED = {"402", "409"}
UNFINISHED = "select count(*) from sagas where created_at >= $1 and status = 'RUNNING'"
STORED = "select count(*) from sagas where created_at >= $1"


async def measure(instance: Instance, plan: Plan, note: Callable[[str], None] = lambda _: None) -> Cell:
    """Run the plan against the stack, wait until every saga has ended, and read the meters."""
    load_average, calibration = os.getloadavg()[0], calibrate()
    orchestrator = await books.connect(instance, ORCHESTRATOR.database)
    try:
        started_at = await orchestrator.fetchval("select clock_timestamp()")
        load = await _start_load(plan)
        counts, usage, began = await books.read(instance), counters.usage(instance), monotonic()
        outcome = await _go(load, plan, note)
        unfinished = await _unfinished(orchestrator, started_at, note)
        usage_after, seconds = counters.usage(instance), monotonic() - began
        await asyncio.sleep(FLUSH_SECONDS)
        stored = await orchestrator.fetchval(STORED, started_at)
    finally:
        await orchestrator.close()
    cpu = growth(usage.cpu, usage_after.cpu) | {"load": outcome.cpu_seconds}
    sagas = len(outcome.latencies)
    cell = Cell(
        **{name: value for name, value in asdict(plan).items() if name != "ports"},
        replicas=len(plan.ports),
        sagas=sagas,
        per_second=sagas / outcome.elapsed if outcome.elapsed else 0,
        latency_ms=percentiles(outcome.latencies),
        statuses=outcome.statuses,
        errors=_faults(outcome, plan, stored, unfinished),
        cpu_ms={name: 1000 * used / max(sagas, 1) for name, used in cpu.items()},
        rss_mb={name: used / 2**20 for name, used in usage_after.rss.items()},
        load_average=load_average,
        other_cores=max(usage_after.machine - usage.machine - sum(cpu.values()), 0) / seconds,
        calibration_ms=calibration,
        counted_seconds=monotonic() - began,
    )
    cell.add(counts, await books.read(instance))
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
        note(f"{monotonic() - began:.0f} of {'at most ' if plan.most else ''}{plan.seconds:g} s")
    return Outcome(**json.loads(answer.result()[0]))


async def _unfinished(orchestrator: Any, started_at: object, note: Callable[[str], None]) -> int:
    """How many sagas still run after all patience; 0 as soon as none does."""
    give_up = monotonic() + END_SECONDS
    while True:
        unfinished: int = await orchestrator.fetchval(UNFINISHED, started_at)
        if not unfinished or monotonic() > give_up:
            return unfinished
        note(f"{unfinished} sagas still run")
        await asyncio.sleep(0.1)


def _faults(outcome: Outcome, plan: Plan, stored: int, unfinished: int) -> list[str]:
    """Why the run does not count."""
    allowed = GOOD | REFUSED if plan.mixed else GOOD
    return [
        *outcome.errors,
        *(f"{count} answers {status}" for status, count in outcome.statuses.items() if status not in allowed),
        *([f"{unfinished} sagas have not ended"] if unfinished else []),
        *([f"{outcome.sent} checkouts, but {stored} sagas"] if outcome.sent != stored else []),
    ]


def calibrate() -> float:
    """CPU ms of a fixed loop, the best of five: how fast this machine is just now."""

    def once() -> float:
        began = process_time()
        text = "".join(str(n) for n in range(20_000))
        sum(hash(text[n : n + 8]) & 0xFF for n in range(0, len(text), 2))
        return 1000 * (process_time() - began)

    return min(once() for _ in range(5))
