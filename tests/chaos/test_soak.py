"""The soak: customers check out while everything that can break does. Then it heals, and the money is counted."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tests.chaos import havoc, mending
from tests.chaos.counts import Lives, from_logs
from tests.chaos.echoes import echoing
from tests.chaos.forms import EXTENT
from tests.chaos.poison import Place, dead_letters
from tests.chaos.processes import HERE
from tests.chaos.soak import Soak, soaking
from tests.chaos.verdict import ALL, assert_all_well, assert_audit_is_clean
from tests.support.load import History, load

CALLERS = 6
"""Of each replica."""
WARM_UP = 50
"""So many checkouts of each replica's customers are answered before the first fault."""
PATIENCE_SECONDS = 5 * 60
"""Faults may hit the same database one after the other; its customers go on asking."""
LONGEST_SECONDS = 30 * 60
BROKEN = 3
"""So many messages are broken so that they can be mended."""


@pytest.mark.proves("connection-cut", "silent-drop", "one-way-loss", "latency", "backend-terminated")
@pytest.mark.proves("sigstop", "postgres-killed", "kafka-killed", "replica-killed")
@pytest.mark.proves("duplicates", "reordering", "poison", "redrive", "timeout-races-reply")
@pytest.mark.timeout(LONGEST_SECONDS)
async def test_whatever_breaks_under_load_every_checkout_ends_and_the_books_agree(seed: int, console: Console) -> None:
    dice = [random.Random(seed + number) for number in range(3)]  # each its own, so that none depends on the timing
    poured: set[Place] = set()
    async with soaking(console) as soak, dead_letters() as letters:
        orchestrator_db = soak.systems[0].databases.orchestrator
        since = await orchestrator_db.fetchval("select now()")
        lives = Lives(soak.processes)
        all_kinds = havoc.kinds(soak.processes, soak.proxies, dice[0], poured)
        async with lives.watched():
            async with customers(soak) as histories, echoing(dice[1], BROKEN) as echoes:
                await asyncio.gather(*(history.grows(WARM_UP) for history in histories))
                await soak.suffer(havoc.plan(all_kinds, dice[2], EXTENT.soak_seconds), histories)
                await soak.heal()
            await letters.hold(poured | echoes.broken.keys())
            redriven = await mending.redrive(soak.systems[0], letters, echoes.broken)
            await mending.drop_the_rest()
            for system, history in zip(soak.systems, histories, strict=True):
                await assert_all_well(system, history)
            await assert_audit_is_clean(ALL, "--strict", "--history", str(written(histories)))
        counts = await from_logs(orchestrator_db, since)

    counts |= {"duplicates removed": lives.duplicates, "rebalances": lives.rebalances}
    counts |= {"dead letters": len(letters.found), "redrives": redriven}
    console.print(summary(counts, soak, histories))
    assert lives.bugs == []
    assert [name for name, count in counts.items() if not count] == [], "the run has proved nothing"
    assert {kind.name for kind in all_kinds} == soak.suffered.keys(), "some kind of fault did not happen"


@asynccontextmanager
async def customers(soak: Soak) -> AsyncIterator[list[History]]:
    """Some at each replica."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(load(system.http, CALLERS, PATIENCE_SECONDS)) for system in soak.systems]


def written(histories: Iterable[History]) -> Path:
    """What the customers were told, as the auditor reads it."""
    file = HERE.folder / "history.jsonl"
    file.write_text("".join(f"{json.dumps(answer)}\n" for history in histories for answer in history.answers))
    return file


def summary(counts: Mapping[str, int], soak: Soak, histories: Iterable[History]) -> Table:
    """What has happened, and how often."""
    table = Table("what", "how often", title="the soak")
    table.columns[1].justify = "right"
    told = Counter(f"checkouts told {a['status']} at {a['step']}" for history in histories for a in history.answers)
    ended = Counter({f"{name} ended by itself": times for name, times in soak.ended_by_itself.items()})
    for what, times in [*counts.items(), *sorted(soak.suffered.items()), *sorted(told.items()), *ended.items()]:
        table.add_row(what, f"{times:,}")
    return table
