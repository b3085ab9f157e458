"""`explain ID`: reads everything about one checkout and tells it."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console

from audit.databases import Address, addresses
from chassis.records import uuid_of
from local import kafka
from local.instance import ORCHESTRATOR as FRONT
from local.instance import Instance
from local.options import InstanceName, PortOffset, instance_of
from local.problem import Problem
from ops.explain import screen
from ops.explain.facts import KAFKA, Facts
from ops.explain.reading import reading
from ops.explain.surroundings import failed, unready
from ops.letters import Letter

console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)

KINDS: Final = "a saga id, an order id, a message id (of a command, a reply or a dead letter) or an Idempotency-Key"


def an_id(text: str) -> str:
    """What is asked about; it has to be something."""
    if not text.strip() or "\0" in text:
        raise typer.BadParameter(f"give {KINDS}: make explain ID=...")
    return text.strip()


def explain(
    asked: Annotated[str, typer.Argument(parser=an_id, metavar="ID", help=f"It may be {KINDS}.")],
    instance: InstanceName = "default",
    port_offset: PortOffset = None,
    kafka_broker: Annotated[str, typer.Option(envvar="KAFKA_BROKER", help="By default that of the stack.")] = "",
) -> None:
    """What became of one checkout, or where it is stuck and what to do next. Exit 1: nothing is known of it."""
    stack = instance_of(instance, port_offset)
    where = addresses(stack.port_offset)
    facts = asyncio.run(gather(asked, stack, where, kafka_broker or kafka.for_clients(stack)))
    if not facts.known:
        unread = f" Not read: {', '.join(facts.unread)}." if facts.away else ""
        raise Problem(f"Nothing is known of {asked}. It may be {KINDS}.{unread}")
    screen.show(facts, console)


def kind_in(letter: Letter, asked: str) -> str:
    """What an id is that only a dead letter knows."""
    kinds = {letter.saga_id: "saga id", letter.order_id: "order id"}
    return kinds.get(uuid_of(asked), "message id")


async def gather(asked: str, stack: Instance, where: list[Address], broker: str) -> Facts:
    """Everything that can be read about this id."""
    async with reading(where) as databases:
        saga_id, kind = await databases.find(asked)
        saga = await databases.saga(saga_id)

        wanted = {uuid_of(asked), saga_id} - {None}

        def about(letter: Letter) -> bool:
            return not wanted.isdisjoint((letter.saga_id, letter.order_id, letter.message_id))

        copies, ill = await asyncio.gather(failed(broker, saga["created_at"] if saga else None, about), unready(stack))
        letters, retries = ([], []) if isinstance(copies, str) else copies
        if not saga and letters:
            saga, kind = await databases.saga(letters[0].saga_id), kind_in(letters[0], asked)
        rows = await databases.rows(saga["order_id"] if saga else uuid_of(asked))
        return Facts(
            asked,
            kind or ("order id" if any(rows.values()) else "message id"),
            saga["read_at"] if saga else datetime.now(UTC),
            saga,
            await databases.log(saga),
            rows,
            await databases.trail(saga),
            letters,
            retries,
            {**databases.away, **({KAFKA: copies} if isinstance(copies, str) else {})},
            ill,
            stack.url(FRONT),
        )
