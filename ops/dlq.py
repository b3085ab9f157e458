"""Dead letters: look at them, send them to where they came from, or give them up.

A letter is redriven under its own message id, so its receiver's inbox makes twice the same as once. Behind a letter
that is done with a marker is written; a run that dies between the two sends that one letter again, harmlessly.

There is no lock. Two operators who redrive the same letter at once both send it and both mark it: the first copy
counts, the inbox drops the second (a command's old answer is sent again). Of two different --body files the one that
arrives first wins. If both copies fail, two new dead letters have one message id: redrive one, drop the other.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import structlog
import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from chassis.crash import crash_point
from kafka_init.topics import declared_topics
from local import kafka
from local.instance import ORCHESTRATOR
from local.options import InstanceName, PortOffset, instance_of
from local.problem import Problem
from ops import report
from ops.choice import Wanted, chosen, want
from ops.letters import DeadLetters, Letter, Place, connected
from ops.past import go_past
from ops.sagas import asking, waits

log = structlog.get_logger()
console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)
app = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None)
app.command("pass")(go_past)

MAX_REDRIVES: Final = 3
CUT: Final = "it was cut down, and the original is gone; give the whole with --body"


def said(text: str) -> str:
    """What an option says; it has to say something."""
    if not text.strip():
        raise typer.BadParameter("say it")
    return text


Where = Annotated[str | None, typer.Argument(metavar="PLACE", help="service/partition/offset, as `list` shows it.")]
All = Annotated[bool, typer.Option("--all", help="Every open one, or those that the next two choose.")]
Topic = Annotated[str | None, typer.Option(help="Those that failed on this topic.")]
SagaId = Annotated[UUID | None, typer.Option("--saga", help="Those of this saga.")]
By = Annotated[str, typer.Option(parser=said, metavar="NAME", help="Who does this, for the log and the marker.")]
Why = Annotated[str, typer.Option(parser=said, metavar="TEXT", help="For what reason, likewise.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@dataclass(frozen=True)
class Stack:
    """The broker as host:port, the orchestrator as a URL."""

    kafka_broker: str
    orchestrator: str


@app.callback()
def where(
    context: typer.Context,
    instance: InstanceName = "default",
    port_offset: PortOffset = None,
    kafka_broker: Annotated[str, typer.Option(envvar="KAFKA_BROKER", help="By default that of the stack.")] = "",
    orchestrator: Annotated[str, typer.Option(envvar="ORCHESTRATOR_URL", help="By default at its port here.")] = "",
) -> None:
    """The addresses that are given, else those of the instance on this machine."""
    stack = instance_of(instance, port_offset)
    context.obj = Stack(kafka_broker or kafka.for_clients(stack), orchestrator or stack.url(ORCHESTRATOR))


@app.command("list")
def list_open(
    context: typer.Context,
    topic: Topic = None,
    saga: SagaId = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """The open dead letters: what failed, why, whose it is, and whether that saga still waits for it."""

    wanted = Wanted(None, topic, saga)

    async def look() -> list[dict[str, Any]]:
        async with connected(context.obj.kafka_broker) as letters, asking(context.obj.orchestrator) as sagas:
            return [
                report.row(letter, found := await sagas.of(letter), waits(found, letter))
                async for letter in chosen(letters, wanted)
            ]

    rows = asyncio.run(look())
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        report.show_list(console, rows)


@app.command()
def show(context: typer.Context, place: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
    """One dead letter, open or not: its headers, its body, the end of its saga's log."""

    async def look() -> None:
        async with connected(context.obj.kafka_broker) as letters, asking(context.obj.orchestrator) as sagas:
            letter = await letters.at(Place.parse(place))
            ending = (await letters.closed()).get(letter.place, "open")
            saga = await sagas.of(letter)
            report.show_letter(console, letter, ending, saga, waits(saga, letter))

    asyncio.run(look())


@app.command()
def redrive(
    context: typer.Context,
    by: By,
    why: Why,
    place: Where = None,
    every: All = False,
    topic: Topic = None,
    saga: SagaId = None,
    dry_run: DryRun = False,
    body: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Send this instead: the message, repaired.")
    ] = None,
    max_redrives: Annotated[int, typer.Option(help="A letter that came back so often is refused.")] = MAX_REDRIVES,
    force: Annotated[bool, typer.Option("--force", help="Redrive it all the same.")] = False,
) -> None:
    """Send dead letters to their original topics, under the same message ids."""
    wanted = want(place, every, topic, saga)
    if body and not wanted.place:
        raise Problem("--body mends one dead letter: name its place.")
    mended = body.read_bytes() if body else None

    async def one(letters: DeadLetters, letter: Letter) -> bool:
        about = report.about(letter) | {"redrives": letter.redrives + 1, "by": by, "why": why}
        refused = refusal(letter, max_redrives, force=force)
        content = mended if mended is not None or refused else await letters.whole(letter)
        if refused or content is None:
            why_not = f"not redriven: {refused or CUT}"
            log.error(why_not, **about)
            return False
        if dry_run:
            log.info("would be redriven", **about)
            return True
        try:
            await letters.redrive(letter, content)
        except KafkaError as error:
            if error.retriable:
                raise
            log.error("not redriven: the broker refuses it", error=repr(error), **about)
            return False
        crash_point("redrive.sent")
        await letters.mark(letter, "redriven", by, why)
        log.info("dead letter redriven", repaired=mended is not None, **about)
        return True

    asyncio.run(each(context.obj, wanted, one))


def refusal(letter: Letter, max_redrives: int, *, force: bool) -> str:
    """Why it must not be redriven, if it must not."""
    if letter.topic not in declared_topics() or "message-id" not in letter.headers:
        return "no service parked this"
    return "it came back too often, see --force" if letter.redrives >= max_redrives and not force else ""


@app.command()
def drop(
    context: typer.Context,
    by: By,
    why: Why,
    place: Where = None,
    every: All = False,
    topic: Topic = None,
    saga: SagaId = None,
    dry_run: DryRun = False,
) -> None:
    """Give dead letters up: they stay where they are, and are open no more."""

    async def one(letters: DeadLetters, letter: Letter) -> bool:
        if not dry_run:
            await letters.mark(letter, "dropped", by, why)
        done = "would be dropped" if dry_run else "dead letter dropped"
        log.info(done, by=by, why=why, **report.about(letter))
        return True

    asyncio.run(each(context.obj, want(place, every, topic, saga), one))


async def each(stack: Stack, wanted: Wanted, act: Callable[[DeadLetters, Letter], Awaitable[bool]]) -> None:
    """Act on one letter after the other; exit 1 if one was refused."""
    async with connected(stack.kafka_broker) as letters:
        outcomes = [await act(letters, letter) async for letter in chosen(letters, wanted)]
    refused = outcomes.count(False)
    if not wanted.place and not outcomes:
        log.warning("nothing to do, no open dead letter matches")
    elif not wanted.place:
        log.info("some were refused" if refused else "all seen to", letters=len(outcomes), refused=refused)
    if refused:
        raise typer.Exit(1)
