"""Commands that measure throughput, latency and cost."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bench import compare as side_by_side
from bench import gate, report, rounds, tables
from bench.options import BENCH_OFFSET, Broker, Callers, Folder, Out, PortOffset, Rounds, Seconds, WarmUp
from bench.session import RESULTS, audited, console, finish, ports, session, shapes
from bench.stack import running
from bench.textbook.check import disagreements
from local.instance import Instance

app = typer.Typer()


@app.command()
def run(
    port_offset: PortOffset = 0,
    callers: Callers = "1,16,64",
    seconds: Seconds = 8,
    kinds: Annotated[str, typer.Option(help="success, mixed (failures at random), or both.")] = "success",
    rate: Annotated[float, typer.Option(help="Also an open loop: so many checkouts a second.")] = 0,
    connections: Annotated[int, typer.Option(help="Of the open loop.")] = 200,
    warm_up: WarmUp = 4,
    replicas: Annotated[int, typer.Option(help="Orchestrators to spread the callers over.")] = 1,
    label: Annotated[str, typer.Option(help="What the result is called.")] = "this",
    out: Out = RESULTS / "result.json",
    against: Annotated[Path | None, typer.Option(help="An older result to put beside this one.")] = None,
    audit: Annotated[bool, typer.Option(help="Let the auditor read the four databases at the end.")] = False,
) -> None:
    """Measure a stack that runs; exit 1 if the run does not count."""
    instance = Instance(port_offset=port_offset)
    older = report.Result.read(against) if against else None
    plans = shapes(ports(instance, replicas), callers, seconds, kinds, rate, connections)
    result = asyncio.run(session(instance, label, plans, warm_up))
    if audit and not audited(port_offset):
        result.cells[-1].errors.append("the auditor found violations")
    report.show(console, result)
    if older:
        side_by_side.compare(console, result, older)
    finish(result, out)


@app.command()
def run_variant(
    variant: Annotated[str, typer.Argument(help=f"{', '.join(rounds.VARIANTS)}.")],
    port_offset: PortOffset,
    kafka_broker: Broker,
    callers: Callers = "1,16,64",
    seconds: Seconds = 8,
    warm_up: WarmUp = 4,
    out: Out = RESULTS / "variant.json",
) -> None:
    """Measure the textbook variant, the floor or this system without a lever, beside a Postgres and Kafka."""
    if variant not in rounds.VARIANTS:
        raise typer.BadParameter(f"{variant!r} is none of these: {', '.join(rounds.VARIANTS)}")
    instance = Instance(port_offset=port_offset)
    plans = shapes(ports(instance), callers, seconds, "success", 0, 0)
    with running(instance, kafka_broker, RESULTS / "variant.log", rounds.VARIANTS[variant]):
        result = asyncio.run(session(instance, variant, plans, warm_up))
        if variant == "textbook":
            result.cells[-1].errors += asyncio.run(disagreements(instance))
        elif variant != "floor" and not audited(port_offset):  # which keeps nothing that could disagree
            result.cells[-1].errors.append("the auditor found violations")
    report.show(console, result)
    finish(result, out)


@app.command()
def levers(
    port_offset: PortOffset = BENCH_OFFSET, rounds_of_each: Rounds = 3, seconds: Seconds = 8, folder: Folder = RESULTS
) -> None:
    """This system, and in turn with one lever after the other taken out."""
    results = rounds.interleaved(rounds.LEVERS, port_offset, rounds_of_each, seconds, folder)
    for line in tables.levers(*results.values()):
        console.print(line)


@app.command()
def versus_textbook(
    port_offset: PortOffset = BENCH_OFFSET, rounds_of_each: Rounds = 3, seconds: Seconds = 8, folder: Folder = RESULTS
) -> None:
    """This system, the textbook variant and the floor; the medians side by side, and the targets."""
    results = rounds.interleaved(rounds.SYSTEMS, port_offset, rounds_of_each, seconds, folder)
    side_by_side.compare(console, results["this"], results["textbook"])
    side_by_side.show_targets(console, results["this"], results["textbook"])
    for line in tables.floor(results["floor"], results["this"], results["textbook"]):
        console.print(line)


@app.command()
def scale_out(
    port_offset: PortOffset = BENCH_OFFSET, rounds_of_each: Rounds = 3, seconds: Seconds = 8, folder: Folder = RESULTS
) -> None:
    """1, 2 and 4 of each service on this machine."""
    report.show(console, rounds.scaled_out(port_offset, rounds_of_each, seconds, folder))


@app.command("gate")
def measure_gate(
    port_offset: PortOffset,
    runs: Annotated[int, typer.Option(help="One after the other.")] = 10,
    out: Out = RESULTS / "gate.json",
) -> None:
    """What tests/bench looks at, several times: to see how far noise goes before a limit is set."""
    result = asyncio.run(gate.several(Instance(port_offset=port_offset), runs))
    for line in tables.spread(result):
        console.print(line)
    finish(result, out)
