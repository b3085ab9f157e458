"""The sweep: a process dies at each crash point, with each message, in each scenario, and every saga ends well."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from time import monotonic

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.instance import INVENTORY, ORCHESTRATOR, PAYMENT
from tests.chaos import combinations, report
from tests.chaos.combinations import Chain, Combination
from tests.chaos.faults import assert_members
from tests.chaos.forms import EXTENT
from tests.chaos.processes import QUICK
from tests.chaos.report import Crash, Results
from tests.chaos.scenarios import SCENARIOS, Met, Scenario
from tests.chaos.system import System, running
from tests.support.eventually import eventually

PLAYS = 5
"""A scenario with a race in it is played so often without any crash point being hit before that is a failure."""
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
            if EXTENT.sweeps_every_scenario:
                await assert_nothing_else_is_met(system, scenario)
            for chains in combinations.rounds(wanted):
                deaths = sum(map(len, chains))
                progress.update(task, description=f"{scenario}: {deaths} deaths, such as {chains[0][0].lives[-1]}")
                seen += await survive(system, scenario, chains)
                progress.update(task, completed=len(seen))
    results.add_crashes(seen)
    console.print(report.table(seen))
    assert [crash.row for crash in seen if crash.recovered_in is None] == [], "a crash point was not hit"


async def assert_nothing_else_is_met(system: System, scenario: Scenario) -> None:
    """Play it undisturbed: a message that it does not declare would never be swept over.

    Undisturbed also by a replica of the test before, which keeps its partitions until its session ends.
    """
    for service in (PAYMENT, INVENTORY, ORCHESTRATOR):
        await eventually(partial(assert_members, service, 1))
    saga_id = await scenario.play(system)
    await system.ended(saga_id)
    await eventually(lambda: combinations.assert_all_handled(system, saga_id))
    for service, types in (await combinations.observed(system, saga_id)).items():
        declared = scenario.met.get(service, Met())
        assert types - set(f"{declared.handles} {declared.sends} {declared.may}".split()) == set(), service.name


async def survive(system: System, scenario: Scenario, wanted: Sequence[Chain]) -> list[Crash]:
    """Play the scenario until each process has died wherever it is to die, or does not get any further."""
    seen: list[Crash] = []
    left, tries = list(wanted), 0
    while left and tries < PLAYS:
        hit = await play(system, scenario, left)
        seen += hit
        tries = 0 if hit else tries + 1
        died_at = {crash.combination for crash in seen}
        left = [rest for chain in left if (rest := [c for c in chain if c not in died_at])]
    return seen + [Crash(c, None) for chain in left for c in chain]


async def play(system: System, scenario: Scenario, wanted: Sequence[Chain]) -> list[Crash]:
    """Play it once; what was hit."""
    await system.ready()
    deaths: dict[Combination, float] = {}
    await asyncio.gather(*(system[chain[0].service].arm(chain[0].lives[0]) for chain in wanted))
    lives = {chain[0].service: asyncio.create_task(relive(system, chain, deaths)) for chain in wanted}
    saga_id = await scenario.play(system)
    await system.ended(saga_id)
    ended_at = monotonic()
    _, pending = await asyncio.wait(lives.values(), timeout=LATE_SECONDS)
    for life in pending:
        life.cancel()
    await asyncio.gather(*(system[service].restart() for service, life in lives.items() if life in pending))
    assert (await system.saga(saga_id))["step"] in scenario.ends
    await eventually(lambda: combinations.assert_all_handled(system, saga_id))
    if not scenario.by_hand:
        await system.agree([saga_id])
    back_at = {service: ended_at if life in pending else life.result() for service, life in lives.items()}
    return [crash for chain in wanted for crash in _crashes(chain, deaths, max(ended_at, back_at[chain[0].service]))]


def _crashes(chain: Chain, deaths: Mapping[Combination, float], end: float) -> Iterator[Crash]:
    """From one death to the next place at which it was to die, or to the end, it had recovered."""
    died = [(c, deaths[c]) for c in chain if c in deaths]
    for (combination, died_at), back_at in zip(died, [*(at for _, at in died[1:]), end], strict=True):
        yield Crash(combination, back_at - died_at)


async def relive(system: System, chain: Chain, deaths: dict[Combination, float]) -> float:
    """Start it again each time that it has died at the place told; when it was ready again in the end."""
    process = system[chain[0].service]
    places = [(combination, crash_at) for combination in chain for crash_at in combination.lives]
    for (combination, crash_at), then in zip(places, [*(at for _, at in places[1:]), ""], strict=True):
        died_at = await process.crashed(crash_at, within=300)
        if crash_at == combination.lives[-1]:
            deaths[combination] = died_at
        sweeps = then.startswith("relay.leased")
        if sweeps:
            await system.owes(combination.service, combination.type)
        process.start(then, RELAY_TICK_SECONDS=SOONEST if sweeps else QUICK["RELAY_TICK_SECONDS"])
    await process.ready()
    return monotonic()
