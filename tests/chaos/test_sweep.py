"""The sweep: a process dies at each crash point, with each message, in each scenario, and every saga ends well."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from time import monotonic

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos import combinations, report
from tests.chaos.combinations import Combination
from tests.chaos.forms import EXTENT
from tests.chaos.processes import QUICK
from tests.chaos.report import Crash, Results
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.system import System, running

PLAYS = 5
"""A scenario with a race in it is played until the crash point is hit."""
LATE_SECONDS = 5
"""Some crash points come after the saga's end: an acknowledgement, a late reply."""
SOONEST = "0.001"
"""For a sweep of the outbox that comes before a redelivered command, which sends its answer again too."""
WANTED = combinations.everywhere() if EXTENT.sweeps_every_scenario else combinations.once()


@pytest.mark.proves("checkout-uncommitted", "checkout-unanswered", "order-call-answered")
@pytest.mark.proves("relay-before-send", "relay-acknowledged", "reply-unsent", "mid-compensation")
@pytest.mark.proves("consumer-uncommitted", "consumer-committed", "retry-parked", "dead-letter-parked")
@pytest.mark.proves("timeout-races-reply")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if any(c.scenario is s for c in WANTED)], ids=str)
async def test_every_crash_is_recovered_from(scenario: Scenario, results: Results, console: Console) -> None:
    wanted = [c for c in WANTED if c.scenario is scenario]
    seen: list[Crash] = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(scenario.name, total=len(wanted))
        async with running(scenario.settings) as system:
            for some in combinations.rounds(wanted):
                progress.update(task, description=f"{scenario}: {', '.join(c.lives[-1] for c in some)}")
                seen += await survive(system, scenario, some)
                progress.update(task, completed=len(seen))
    results.add_crashes(seen)
    console.print(report.table(seen))
    assert [crash.row for crash in seen if crash.recovered_in is None] == [], "a crash point was not hit"


async def survive(system: System, scenario: Scenario, wanted: Sequence[Combination]) -> list[Crash]:
    """Play the scenario while each of these processes dies once."""
    hit: list[Crash] = []
    for _ in range(PLAYS):
        missing = [c for c in wanted if c not in {crash.combination for crash in hit}]
        if not missing:
            return hit
        hit += await play(system, scenario, missing)
    return hit + [Crash(c, None) for c in missing]


async def play(system: System, scenario: Scenario, wanted: Sequence[Combination]) -> list[Crash]:
    """Play it once; what was hit."""
    await system.ready()
    await asyncio.gather(*(system[c.service].arm(c.lives[0]) for c in wanted))
    lives = {c: asyncio.create_task(relive(system, c)) for c in wanted}
    saga_id = await scenario.play(system)
    await system.ended(saga_id)
    ended_at = monotonic()
    _, pending = await asyncio.wait(lives.values(), timeout=LATE_SECONDS)
    for life in pending:
        life.cancel()
    await asyncio.gather(*(system[c.service].arm("") for c in wanted if lives[c] in pending))
    assert (await system.saga(saga_id))["step"] in scenario.ends
    if not scenario.by_hand:
        await system.agree([saga_id])
    times = {c: life.result() for c, life in lives.items() if life not in pending}
    return [Crash(c, max(ended_at, back_at) - died_at) for c, (died_at, back_at) in times.items()]


async def relive(system: System, combination: Combination) -> tuple[float, float]:
    """Start it again each time that it has died at the place told; when it died last, when it was ready again."""
    process = system[combination.service]
    for crash_at, then in pairwise((*combination.lives, "")):
        died_at = await process.crashed(crash_at, within=300)
        if then:
            await system.owes(combination.service, combination.type)
        process.start(then, RELAY_SWEEP_SECONDS=SOONEST if then else QUICK["RELAY_SWEEP_SECONDS"])
    await process.ready()
    return died_at, monotonic()
