"""python -m local: the stack without Docker."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from local import demo as scenarios
from local import footing, kafka, stack
from local.instance import DATABASES, ORCHESTRATOR
from local.options import InstanceName, PortOffset, instance_of
from local.problem import Problem, full_disk_is_a_problem
from local.supervisor import Supervisor, stands_still

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


class SignalName(StrEnum):
    """What --signal can name, without SIG."""

    KILL = "KILL"
    STOP = "STOP"
    CONT = "CONT"
    TERM = "TERM"


OnlyInfra = Annotated[bool, typer.Option("--only-infra", help="Postgres, Kafka and the topics, without the services.")]
Replicas = Annotated[int, typer.Option(min=1, help="How many of each service, 100 ports apart.")]


@app.callback()
def choose(
    context: typer.Context,
    instance: InstanceName = "default",
    port_offset: PortOffset = None,
    measured: Annotated[bool, typer.Option(help="Postgres and Kafka count what they are asked, for bench.")] = False,
) -> None:
    """Which instance the command is about."""
    context.obj = instance_of(instance, port_offset, measured, anew=context.invoked_subcommand in ("up", "run"))


@app.command()
def up(context: typer.Context, only_infra: OnlyInfra = False, replicas: Replicas = 1) -> None:
    """Start whatever does not run, and wait until it answers."""
    stack.up(context.obj, replicas, only_infra)
    if not only_infra:
        console.print(f"The stack is up: {context.obj.url(ORCHESTRATOR)}")


@app.command()
def down(context: typer.Context) -> None:
    """Stop everything; what has been stored stays."""
    stack.down(context.obj)
    console.print(f"Nothing of instance {context.obj.name} runs any more.")


@app.command()
def clean(context: typer.Context) -> None:
    """Stop everything and remove what has been stored."""
    stack.clean(context.obj)
    console.print(f"Nothing is left of instance {context.obj.name}.")


@app.command()
def status(context: typer.Context) -> None:
    """Show what runs."""
    instance = replace(context.obj, port_offset=footing.port_offset(context.obj))
    footing.recall(instance)
    states = Supervisor(instance).states()
    if not states:
        console.print(f"Instance {instance.name} is down; `make up` starts it.")
        return
    table = Table("process", "state", "", title=f"instance {instance.name}, Kafka at {kafka.broker(instance)}")
    for process in states:
        if stands_still(process.pid):
            wake = f"python -m local kill {process.name} --signal CONT"
            table.add_row(
                process.name, "STANDS STILL", f"pid {process.pid} got SIGSTOP; `{wake}` or `make up` wakes it"
            )
        else:
            table.add_row(process.name, process.state, process.description)
    console.print(table)
    for database in DATABASES:
        console.print(instance.psql(database))


@app.command()
def logs(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="As `status` names it; all of them if left out.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as they grow.")] = False,
    lines: Annotated[int, typer.Option("-n", help="How many of each.")] = 50,
) -> None:
    """Show the end of the logs."""
    files = sorted(str(file) for file in context.obj.logs.glob(f"{service or '*'}.log"))
    if not files:
        there = ", ".join(sorted(file.stem for file in context.obj.logs.glob("*.log"))) or "none yet"
        raise Problem(f"There is no log of {service or 'anything'} in {context.obj.logs}. Logs there: {there}.")
    os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), *files])


@app.command()
def demo(context: typer.Context) -> None:
    """Run the three scenarios against the running stack, and show what each database holds."""
    if not scenarios.show(context.obj, console):
        raise typer.Exit(1)


@app.command()
def kill(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="As `status` names it.")],
    name: Annotated[SignalName, typer.Option("--signal", help="To the process and its children.")] = SignalName.KILL,
) -> None:
    """Send a signal to a process; supervisord starts it again if it dies."""
    Supervisor(context.obj).send(service, signal.Signals[f"SIG{name}"])


@app.command()
def needs_kafka(context: typer.Context) -> None:
    """Exit 1 if there is only the stand-in for Kafka."""
    kafka.require_real(context.obj)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(context: typer.Context, command: list[str], only_infra: OnlyInfra = False, replicas: Replicas = 1) -> None:
    """Start the instance from nothing, run a command beside it, remove the instance; exit as the command did."""
    raise typer.Exit(stack.run(context.obj, command, replicas, only_infra))


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Say a `Problem` or a failed tool on stderr and exit 1; SIGTERM and SIGHUP end a command as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with full_disk_is_a_problem():
            app()
    except Problem as problem:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(problem), markup=False)
        sys.exit(1)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error} {error.stderr or ''}")


main()
