"""Messages to send, written in the transaction that decided them: the transactional outbox pattern."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from chassis.database import Connection, Pool
from chassis.messages import Body, Message
from chassis.writes import Write

log = structlog.get_logger()

COLUMNS = "message_id, coalesce(given_causation_id, causation_id) as causation_id, type, body, traceparent"

INSERT = """
insert into outbox (message_id, causation_id, given_causation_id, destination, type, key, body, traceparent,
                    publish_after)
select r.*, now() + make_interval(secs => $9)
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::jsonb[], $8::text[]) r
on conflict (message_id) do update set publish_after = excluded.publish_after, published_at = null"""

FIND_ANSWERS = f"select {COLUMNS}, causation_id as entry_id from outbox where causation_id = any($1::uuid[])"

# Due is also what is further away than any lease: the database's clock has been set back. `materialized`: the planner
# may repeat a subquery for each row of the outbox, and so lease more than the limit. `not in (select …)` is hashed;
# `<> all(…)` would compare each row with each id.
TEND = f"""
with marked as (
    update outbox set published_at = now() where message_id = any($1::uuid[]) returning 1
), due as materialized (
    select message_id as id from outbox
    where published_at is null and destination <> all($7::text[])
        and message_id not in (select unnest($1::uuid[] || $6::uuid[]))
        and (publish_after < now() or publish_after > now() + make_interval(secs => 2 * $4))
    order by publish_after limit $2 for update skip locked
), leased as (
    update outbox set
        attempts = attempts + 1,
        publish_after = now() + make_interval(secs => least($3 * 2 ^ least(attempts, 10), $4))
    from due where message_id = id
    returning {COLUMNS}
), unsent as (
    select from outbox where published_at is null limit $5 + cardinality($1::uuid[])
)
select greatest(0, (select count(*) from unsent) - (select count(*) from marked)) as backlog, leased.*
from (values (1)) as always left join leased on true"""

WITHDRAW = "delete from outbox where key = any($1::uuid[]) and published_at is null"


def write(messages: Sequence[Message], lease_seconds: float, causes: Mapping[UUID, UUID] | None = None) -> Write:
    """Messages that this process will send right after the commit; one that is sent again keeps its id.

    `causes`: for some messages, by their id, what the inbox knows the cause by, if not by their causation id.
    Sorted, so that two processes which send the same again wait for each other instead of deadlocking.
    """
    messages, causes = sorted(messages, key=lambda message: message.id), causes or {}
    return Write(
        INSERT,
        (
            [m.id for m in messages],
            [causes.get(m.id, m.causation_id) for m in messages],
            [m.causation_id if m.id in causes else None for m in messages],
            [m.destination for m in messages],
            [m.type for m in messages],
            [m.key for m in messages],
            [m.body.to_json() for m in messages],
            [m.traceparent for m in messages],
            lease_seconds,
        ),
        rows=len(messages),
    )


def withdraw(keys: Collection[UUID]) -> Write:
    """Send nothing more with these keys; what a transport holds already may still arrive."""
    return Write(WITHDRAW, (sorted(keys),))


async def find_answers(
    connection: Connection, causes: Iterable[UUID], bodies: Mapping[str, type[Body]]
) -> dict[UUID, list[Message]]:
    """What was once caused by the messages that the inbox knows by these ids, to be sent again under its old id.

    But what this version cannot read.
    """
    found: dict[UUID, list[Message]] = {}
    for row in await connection.fetch(FIND_ANSWERS, sorted(causes)):
        if answer := _if_known(row, bodies):
            found.setdefault(row["entry_id"], []).append(answer)
    return found


@dataclass(frozen=True, slots=True)
class Lease:
    """How many messages to take, and for how long nobody else may; that doubles with every attempt, up to a limit.

    Not those that are `under_way` already, nor any for a destination that is `full`: where a transport is jammed,
    another replica may send them.
    """

    rows: int
    seconds: float
    max_seconds: float
    under_way: Collection[UUID] = ()
    full: Collection[str] = ()


async def tend(
    pool: "Pool | Connection", sent: Collection[UUID], lease: Lease, bodies: Mapping[str, type[Body]], most: int
) -> tuple[int, list[Message]]:
    """Note what the receivers have acknowledged, and take what should have been sent by now: one statement a tick.

    Also how many messages are unsent or unmarked; counting stops at `most`.
    """
    limits = lease.rows, lease.seconds, lease.max_seconds, most
    rows = await pool.fetch(TEND, sorted(sent), *limits, lease.under_way, lease.full)
    due = (_if_known(row, bodies) for row in rows if row["message_id"])
    return rows[0]["backlog"], [message for message in due if message]


def _message(row: Any, bodies: Mapping[str, type[Body]]) -> Message:
    body = bodies[row["type"]].model_validate_json(row["body"])
    return Message(body, row["message_id"], row["causation_id"], row["traceparent"])


def _if_known(row: Any, bodies: Mapping[str, type[Body]]) -> Message | None:
    """None for what only another version of this service can send, so that it does not stop the others."""
    try:
        return _message(row, bodies)
    except (KeyError, ValidationError) as error:
        ids = {"message_id": str(row["message_id"]), "type": row["type"]}
        log.error("this version cannot send a message of the outbox", error=repr(error), **ids)
        return None
