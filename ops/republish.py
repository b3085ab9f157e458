"""Published outbox rows made due once more, after Kafka has lost its log; the services' own relays send them."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated, Final

import structlog
import typer

from audit.databases import SERVICES, Address, Connection, addresses, login
from kafka_init.topics import declared_topics
from local.options import InstanceName, PortOffset, instance_of
from local.problem import Problem

log = structlog.get_logger()

PATIENCE_SECONDS: Final = 60
LOOK_EVERY_SECONDS: Final = 0.2

COUNT = """
select destination, count(*) from outbox
where published_at >= $1 and published_at < $2 and destination = any($3) group by destination"""

MAKE_DUE = """
with due as materialized (
    select message_id from outbox where published_at >= $1 and published_at < $2 and destination = any($3)
    order by published_at limit $4 for update skip locked
)
update outbox set published_at = null, publish_after = now() from due where outbox.message_id = due.message_id
returning destination"""
"""`materialized`, since a subselect may be planned as the inside of a loop, which then passes its limit."""

COUNT_UNSENT = "select count(*) from outbox where published_at is null"


def moment(text: str) -> datetime:
    """An ISO 8601 time; UTC unless it says otherwise."""
    if not text:
        raise typer.BadParameter("it is missing: make republish SINCE=2026-11-23T10:00:00Z")
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not a time like 2026-11-23T10:00:00Z") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def republish(
    since: Annotated[datetime, typer.Option(parser=moment, help="2026-11-23T10:00:00Z: what was published from then.")],
    until: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="Up to here, by default the database's now; to go on after a stop."),
    ] = None,
    service: Annotated[str | None, typer.Option(help="Only what this service has published.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows at a time; the relay sends about 500 a second.")] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    instance: InstanceName = "default",
    port_offset: PortOffset = None,
) -> None:
    """Send again what was published to Kafka since a moment. Receivers drop what they know, so again is harmless.

    In batches, each when the relay has sent most of the one before, so that customers are not turned away.
    A run that was stopped goes on with its own --until: what it has had sent again is newer than that.
    """
    databases = dict(zip(SERVICES, addresses(instance_of(instance, port_offset).port_offset), strict=True))
    if service not in (None, *databases):
        raise Problem(f"There is no service {service}: it is one of {', '.join(databases)}.")
    asked = {name: address for name, address in databases.items() if service in (None, name)}
    until = until or asyncio.run(_now(asked.values()))
    try:
        for name, address in asked.items():
            asyncio.run(_republish(name, address, since, until, batch, dry_run))
    except BaseException:
        log.warning("stopped; to go on, say the same with --until", since=since.isoformat(), until=until.isoformat())
        raise


async def _now(databases: Iterable[Address]) -> datetime:
    """What the clock says that is ahead of the others: all that is published by now was published before."""
    clocks: list[datetime] = []
    for address in databases:
        connection = await login(address)
        clocks.append(await connection.fetchval("select clock_timestamp()"))
        await connection.close()
    return max(clocks)


async def _republish(
    service: str, address: Address, since: datetime, until: datetime, batch: int, dry_run: bool
) -> None:
    connection = await login(address)
    try:
        until = min(until, await connection.fetchval("select now()"))
        what = (since, until, list(declared_topics()))
        found = {row["destination"]: row["count"] for row in await connection.fetch(COUNT, *what)}
        log.info("found published since then", outbox=service, messages=sum(found.values()), topics=found)
        if dry_run:
            return
        due: Counter[str] = Counter()
        while rows := await connection.fetch(MAKE_DUE, *what, batch):
            due.update(row["destination"] for row in rows)
            log.info("made due again", outbox=service, messages=due.total(), of=sum(found.values()))
            await _relay_catches_up(connection, service, batch)
        log.info("all due again; the relays send them", outbox=service, messages=due.total(), topics=dict(due))
    finally:
        await connection.close()


async def _relay_catches_up(connection: Connection, service: str, batch: int) -> None:
    """Wait until less than half a batch is unsent; `Problem` when the relay does not move."""
    least, moved_at = None, monotonic()
    while (unsent := await connection.fetchval(COUNT_UNSENT)) >= max(batch // 2, 1):
        if least is None or unsent < least:
            least, moved_at = unsent, monotonic()
        if monotonic() > moved_at + PATIENCE_SECONDS:
            raise Problem(f"{unsent} messages of {service} stay unsent: are it and Kafka up?")
        await asyncio.sleep(LOOK_EVERY_SECONDS)
