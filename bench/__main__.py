"""python -m bench: load against a running stack, and what each saga costs."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench import compare as side_by_side
from bench import docs, gate, growth, needs, recovery, report, rounds, scaling, tables
from bench.session import RESULTS, InvalidRun, audited, console, finish, ports, session, shapes
from bench.stack import running, textbook
from bench.textbook.check import disagreements
from local.instance import Instance

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

BENCH_OFFSET = 15000
PortOffset = Annotated[int, typer.Option(envvar="PORT_OFFSET", help="Added to every port.")]
Broker = Annotated[str, typer.Option(envvar="KAFKA_BROKER")]
Seconds = Annotated[float, typer.Option(help="Of each cell.")]
WarmUp = Annotated[float, typer.Option(help="Seconds that do not count, beforehand.")]
Callers = Annotated[str, typer.Option(help="How many at once, one closed loop each.")]
Rounds = Annotated[int, typer.Option(help="Of each, in turn, each on a fresh stack; the median counts.")]
Folder = Annotated[Path, typer.Option(help="Where the JSON goes.")]
Out = Annotated[Path, typer.Option(help="Where the JSON goes.")]


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
def run_textbook(
    port_offset: PortOffset,
    kafka_broker: Broker,
    callers: Callers = "1,16,64",
    seconds: Seconds = 8,
    warm_up: WarmUp = 4,
    out: Out = RESULTS / "textbook.json",
) -> None:
    """Measure the textbook variant, on an instance of which only Postgres and Kafka run."""
    instance = Instance(port_offset=port_offset)
    plans = shapes(ports(instance), callers, seconds, "success", 0, 0)
    with running(instance, kafka_broker, RESULTS / "textbook.log", textbook):
        result = asyncio.run(session(instance, "textbook", plans, warm_up))
        result.cells[-1].errors += asyncio.run(disagreements(instance))
    report.show(console, result)
    finish(result, out)


@app.command()
def versus_textbook(
    port_offset: PortOffset = BENCH_OFFSET, rounds_of_each: Rounds = 3, seconds: Seconds = 8, folder: Folder = RESULTS
) -> None:
    """This system and the textbook variant; the medians side by side, and the targets."""
    results = rounds.interleaved(port_offset, rounds_of_each, seconds, folder)
    side_by_side.compare(console, results["this"], results["textbook"])
    side_by_side.show_targets(console, results["this"], results["textbook"])


@app.command()
def scale_out(
    port_offset: PortOffset = BENCH_OFFSET, rounds_of_each: Rounds = 3, seconds: Seconds = 8, folder: Folder = RESULTS
) -> None:
    """1, 2 and 4 of each service on this machine."""
    report.show(console, rounds.scaled_out(port_offset, rounds_of_each, seconds, folder))


@app.command("growth")
def grow(
    port_offset: PortOffset,
    sizes: Annotated[str, typer.Option(help="Sagas stored, one measurement each.")] = "1000,100000,1000000",
    seconds: Seconds = 8,
    out: Out = RESULTS / "growth.json",
) -> None:
    """What a saga costs while so many are stored; on a fresh stack, which it fills."""
    numbers = [int(size) for size in sizes.split(",")]
    result = asyncio.run(growth.stored(Instance(port_offset=port_offset), numbers, seconds))
    report.show(console, result)
    finish(result, out)


@app.command()
def memory(port_offset: PortOffset, sagas: int = 100_000, out: Out = RESULTS / "memory.json") -> None:
    """What the services hold after so many sagas."""
    result = asyncio.run(growth.memory(Instance(port_offset=port_offset), sagas))
    report.show(console, result)
    finish(result, out)


@app.command("recovery")
def recover(
    port_offset: PortOffset, kafka_broker: Broker, sagas: int = 100_000, out: Out = RESULTS / "recovery.json"
) -> None:
    """How long it takes to take up so many sagas; on an instance of which only Postgres and Kafka run."""
    found = asyncio.run(recovery.recover(Instance(port_offset=port_offset), kafka_broker, sagas))
    console.print(asdict(found))
    out.write_text(json.dumps(asdict(found), indent=1))
    raise typer.Exit(not found.ended_seconds or not audited(port_offset))


@app.command()
def compare(ours: Path, theirs: Path) -> None:
    """Two results side by side, with ratios."""
    side_by_side.compare(console, report.Result.read(ours), report.Result.read(theirs))


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


@app.command("docs")
def write_docs(folder: Folder = RESULTS) -> None:
    """Put the last results into docs/performance.md and docs/scaling.md."""
    for name in docs.write(folder):
        console.print(name)


@app.command("scaling")
def scale(
    result: Annotated[Path, typer.Argument(help="Of `bench run`, with a cell at 64 callers.")] = RESULTS
    / "result.json",
    growth_result: Annotated[Path, typer.Option("--growth", help="Of `bench growth`: bytes kept.")] = RESULTS
    / "growth.json",
) -> None:
    """What 1,000, 10,000 and 100,000 sagas a second would need, from what one costs."""
    measured = scaling.read(result, growth_result)
    for line in (*needs.inputs(measured), "", *needs.needed(measured)):
        print(line)


try:
    app()
except InvalidRun as error:
    console.print(f"[bold red]{error}[/]")
    sys.exit(1)
