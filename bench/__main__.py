"""python -m bench: load against a running stack, and what each saga costs."""

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import report
from bench.cell import measure
from bench.load import Plan
from local.instance import ORCHESTRATOR, ROOT, Instance

RESULTS = ROOT / ".local" / "bench"

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 190)

PortOffset = Annotated[int, typer.Option(envvar="PORT_OFFSET", help="Added to every port.")]


@app.command()
def run(
    port_offset: PortOffset = 0,
    callers: Annotated[str, typer.Option(help="How many at once, one cell each.")] = "1,16,64",
    seconds: Annotated[float, typer.Option(help="Of each cell.")] = 8,
    mixed: Annotated[bool, typer.Option(help="Payment and inventory fail at random.")] = False,
    rate: Annotated[float, typer.Option(help="Open loop: checkouts a second, over so many connections.")] = 0,
    warm_up: Annotated[float, typer.Option(help="Seconds that do not count, beforehand.")] = 4,
    replicas: Annotated[int, typer.Option(help="Orchestrators to spread the callers over.")] = 1,
    label: Annotated[str, typer.Option(help="What the result is called.")] = "this",
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS / "result.json",
    against: Annotated[Path | None, typer.Option(help="An older result to put beside this one.")] = None,
    audit: Annotated[bool, typer.Option(help="Let the auditor read the four databases at the end.")] = False,
) -> None:
    """Measure a stack that runs; exit 1 if the run does not count."""
    instance = Instance(port_offset=port_offset)
    ports = [instance.port(ORCHESTRATOR, replica) for replica in range(replicas)]
    plans = [Plan(ports, int(number), seconds, mixed, rate) for number in callers.split(",")]
    result = asyncio.run(session(instance, label, plans, warm_up))
    result.write(out)
    report.show(console, result)
    console.print(f"written to {out}")
    if against:
        report.compare(console, result, report.Result.read(against))
    sound = not audit or audited(port_offset)
    raise typer.Exit(bool(result.faults) or not sound)


@app.command()
def compare(ours: Path, theirs: Path) -> None:
    """Two results side by side, with ratios."""
    report.compare(console, report.Result.read(ours), report.Result.read(theirs))


async def session(instance: Instance, label: str, plans: list[Plan], warm_up: float) -> report.Result:
    """Warm up, then one cell after the other."""
    result = report.Result(label)
    warming = [Plan(plans[0].ports, 32, warm_up)] if warm_up else []
    for plan in [*warming, *plans]:
        what = f"{label}: {plan.callers} callers for {plan.seconds:g} s" + (" to warm up" if plan in warming else "")
        console.print(what)
        with console.status(what) as status:
            cell = await measure(instance, plan, lambda text, s=status, w=what: s.update(f"{w}, {text}"))  # type: ignore[misc]
        if plan not in warming:
            result.cells.append(cell)
            console.print(f"  {cell.per_second:.0f} sagas/s, p50 {cell.latency_ms['p50']:.1f} ms")
    return result


def audited(port_offset: int) -> bool:
    """Whether the auditor found nothing."""
    if not find_spec("audit"):
        console.print("[yellow]there is no auditor yet[/]")
        return True
    return not subprocess.run([sys.executable, "-m", "audit", "--port-offset", str(port_offset)], cwd=ROOT).returncode


app()
