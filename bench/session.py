"""One cell after the other against a stack that runs."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from bench.cell import Cell
from bench.load import Plan
from bench.measure import measure
from bench.report import Result
from local.instance import ORCHESTRATOR, ROOT, Instance

RESULTS = ROOT / ".local" / "bench"
WARM_UP_CALLERS = 32

console = Console(highlight=False, width=None if sys.stdout.isatty() else 210)


class InvalidRun(Exception):
    """What was measured does not count."""


def ports(instance: Instance, orchestrators: int = 1) -> list[int]:
    """Where to check out; the callers are spread over these."""
    return [instance.port(ORCHESTRATOR, replica) for replica in range(orchestrators)]


def shapes(where: list[int], callers: str, seconds: float, kinds: str, rate: float, connections: int) -> list[Plan]:
    """A closed loop for each number of callers and one open loop if there is a rate, all of these for each kind."""
    numbers = [int(number) for number in callers.split(",") if number]
    mixed = [{"success": False, "mixed": True}[kind] for kind in kinds.split(",")]
    return [
        plan
        for is_mixed in mixed
        for plan in (
            *(Plan(where, number, seconds, is_mixed) for number in numbers),
            *([Plan(where, connections, seconds, is_mixed, rate)] if rate else ()),
        )
    ]


async def session(instance: Instance, label: str, plans: Iterable[Plan], warm_up: float) -> Result:
    """Warm up for so many seconds, then measure each plan."""
    result = Result(label)
    for number, plan in enumerate(plans):
        if number == 0 and warm_up:
            warming = await cell(instance, "to warm up", Plan(plan.ports, WARM_UP_CALLERS, warm_up))
            if warming.errors:
                raise InvalidRun(f"invalid already while warming up: {warming.errors}")
        result.cells.append(await cell(instance, label, plan))
    return result


async def cell(instance: Instance, label: str, plan: Plan) -> Cell:
    """Measure one plan; show that it goes on."""
    what = f"{label}: {plan.name}, " + (f"{plan.most:,} sagas" if plan.most else f"{plan.seconds:g} s")
    with console.status(what) as status:
        found = await measure(instance, plan, lambda text: status.update(f"{what}, {text}"))
    console.print(f"{what}: {found.per_second:.0f} sagas/s, p50 {found.latency_ms['p50']:.1f} ms")
    return found


def audited(port_offset: int) -> bool:
    """Whether the auditor found nothing."""
    command = [sys.executable, "-m", "audit", "--port-offset", str(port_offset), "--strict"]
    return not subprocess.run(command, cwd=ROOT).returncode


def finish(result: Result, out: Path) -> None:
    """Write it down; `InvalidRun` if it does not count."""
    result.write(out)
    console.print(f"written to {out}")
    if result.faults:
        raise InvalidRun("this run does not count")
