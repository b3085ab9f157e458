"""python -m bench: load against a running stack, and what each saga costs."""

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import charts, report
from bench.load import Plan
from bench.measure import measure
from bench.textbook import stack
from bench.textbook.check import disagreements
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
def run_textbook(
    port_offset: PortOffset,
    kafka_broker: Annotated[str, typer.Option(envvar="KAFKA_BROKER")],
    callers: str = "1,16,64",
    seconds: float = 8,
    mixed: bool = False,
    warm_up: float = 4,
    out: Path = RESULTS / "textbook.json",
) -> None:
    """Measure the textbook variant, on an instance of which only Postgres and Kafka run."""
    instance = Instance(port_offset=port_offset)
    plans = [Plan([instance.port(ORCHESTRATOR)], int(number), seconds, mixed) for number in callers.split(",")]
    with stack.running(instance, kafka_broker, RESULTS / "textbook.log"):
        result = asyncio.run(session(instance, "textbook", plans, warm_up))
        result.cells[-1].errors += asyncio.run(disagreements(instance))
    result.write(out)
    report.show(console, result)
    raise typer.Exit(bool(result.faults))


@app.command()
def textbook(
    port_offset: PortOffset = 15000,
    rounds: Annotated[int, typer.Option(help="Of each system, in turn, each on a fresh stack.")] = 3,
    seconds: float = 8,
    folder: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS,
) -> None:
    """This system and the textbook variant in turn; the medians side by side, and the targets."""
    results = {"this": report.Result("this"), "textbook": report.Result("textbook")}
    fresh = [sys.executable, "-m", "local", "--instance", "bench", "--port-offset", str(port_offset), "run"]
    here = [sys.executable, "-m", "bench"]
    for number in range(rounds):
        console.rule(f"round {number + 1} of {rounds}")
        for label, command in (
            ("this", [*fresh, *here, "run", "--audit"]),
            ("textbook", [*fresh, "--only", "infra", *here, "run-textbook"]),
        ):
            out = folder / f"{label}-{number + 1}.json"
            out.unlink(missing_ok=True)
            done = subprocess.run([*command, "--seconds", str(seconds), "--out", str(out)], cwd=ROOT)
            if done.returncode:
                console.print(f"[bold red]round {number + 1} of {label} does not count[/]")
                raise typer.Exit(1)
            results[label].cells += report.Result.read(out).cells
    for label, result in results.items():
        result.write(folder / f"{label}.json")
    report.compare(console, results["this"], results["textbook"])
    report.show_targets(console, results["this"], results["textbook"])


@app.command()
def compare(ours: Path, theirs: Path) -> None:
    """Two results side by side, with ratios."""
    report.compare(console, report.Result.read(ours), report.Result.read(theirs))


@app.command()
def chart(ours: Path, theirs: Path, out: Path = ROOT / "docs" / "performance.svg") -> None:
    """Two results as bars."""
    out.write_text(charts.draw([report.Result.read(ours), report.Result.read(theirs)]))
    console.print(f"written to {out}")


async def session(instance: Instance, label: str, plans: list[Plan], warm_up: float) -> report.Result:
    """Warm up, then one cell after the other."""
    result = report.Result(label)
    warming = [Plan(plans[0].ports, 32, warm_up)] if warm_up else []
    for plan in [*warming, *plans]:
        what = f"{label}: {plan.callers} callers for {plan.seconds:g} s" + (" to warm up" if plan in warming else "")
        console.print(what)
        with console.status(what) as status:
            cell = await measure(instance, plan, lambda text, s=status, w=what: s.update(f"{w}, {text}"))  # type: ignore[misc]
        if plan in warming and cell.errors:
            console.print(f"[bold red]invalid already while warming up: {cell.errors}[/]")
            raise typer.Exit(1)
        if plan not in warming:
            result.cells.append(cell)
            console.print(f"  {cell.per_second:.0f} sagas/s, p50 {cell.latency_ms['p50']:.1f} ms")
    return result


def audited(port_offset: int) -> bool:
    """Whether the auditor found nothing."""
    if not find_spec("audit"):
        console.print("[yellow]there is no auditor yet[/]")
        return True
    return not subprocess.run(
        [sys.executable, "-m", "audit", "--port-offset", str(port_offset), "--strict"], cwd=ROOT
    ).returncode


app()
