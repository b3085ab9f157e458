"""python -m audit: do the four databases and the dead letters agree? Exit 1: no; 2: something cannot be read."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from audit.auditor import CHECKS, audit
from audit.databases import addresses
from audit.look import Options
from audit.report import exit_code, show
from chassis.faults import reason_of
from local import kafka
from local.instance import Instance
from local.options import InstanceName, PortOffset, instance_of
from local.problem import IS_IT_UP, Problem

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.command(help=__doc__)
def main(
    only: Annotated[str, typer.Option(help="Some invariants: I2,I3.")] = "",
    instance: InstanceName = "default",
    port_offset: PortOffset = None,
    kafka_broker: Annotated[str, typer.Option(envvar="KAFKA_BROKER", help="By default that of the stack.")] = "",
    recovery_seconds: Annotated[float, typer.Option(help="How long what is overdue may take to recover.")] = 30.0,
    settle_seconds: Annotated[float, typer.Option(help="The moment before a second look.")] = 2.0,
    quiesced: Annotated[bool, typer.Option("--quiesced", help="Nothing runs any more: object to what does.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Nobody else writes here: object to rows of no saga.")
    ] = False,
    history: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="What clients were told.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    watch: Annotated[float, typer.Option(metavar="SECONDS", help="Again and again; Ctrl-C ends it.")] = 0,
) -> None:
    invariants = frozenset(name.strip().upper() for name in only.split(",") if name.strip())
    if unknown := invariants - CHECKS.keys():
        raise typer.BadParameter(
            f"there is no {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}", param_hint="--only"
        )
    stack = which(instance, port_offset)
    options = Options(
        databases=addresses(stack.port_offset),
        kafka_broker=kafka_broker or kafka.for_clients(stack),
        kafka_prefix=kafka.prefix(),
        only=invariants,
        recovery_seconds=recovery_seconds,
        settle_seconds=settle_seconds,
        quiesced=quiesced,
        strict=strict,
        history=history,
    )
    codes = {run(options, as_json=as_json)}
    try:
        while watch:
            time.sleep(watch)
            codes.add(run(options, as_json=as_json))
    except KeyboardInterrupt:
        pass
    raise typer.Exit(1 if 1 in codes else max(codes))


def which(name: str, port_offset: int | None) -> Instance:
    """The stack that is meant."""
    try:
        return instance_of(name, port_offset)
    except Problem as problem:
        raise typer.BadParameter(str(problem), param_hint="--instance") from None


def run(options: Options, *, as_json: bool) -> int:
    """One audit, printed; its exit code."""
    started = time.monotonic()
    try:
        verdicts = asyncio.run(audit(options))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        Console(stderr=True, soft_wrap=True).print(
            f"A database cannot be read: {reason_of(error)}. {IS_IT_UP}", markup=False
        )
        return 2
    seconds = time.monotonic() - started
    code = exit_code(verdicts)
    if as_json:
        invariants = [verdict.to_dict() for verdict in verdicts]
        print(json.dumps({"exitCode": code, "seconds": round(seconds, 1), "invariants": invariants}, default=str))
    else:
        show(verdicts, seconds, console)
    return code


if __name__ == "__main__":
    try:
        app()
    except Problem as problem:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(problem), markup=False)
        sys.exit(2)
