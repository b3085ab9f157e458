"""Commands that measure what comes with time: rows, memory, and sagas to take up."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from bench import growth, recovery, report, tables
from bench.options import Broker, Out, PortOffset, Seconds
from bench.session import RESULTS, audited, console, finish
from local.instance import Instance

app = typer.Typer()


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
    console.print("\n".join(tables.recovery(asdict(found))))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(asdict(found), indent=1))
    raise typer.Exit(not found.ended_seconds or not audited(port_offset))
