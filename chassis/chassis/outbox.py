"""Messages to send, written in the transaction that decided them: the transactional outbox pattern."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from chassis.database import Connection, Pool
from chassis.messages import Body, Message
from chassis.writes import Write

log = structlog.get_logger()

COLUMNS = "message_id, causation_id, type, body, traceparent"

INSERT = """
insert into outbox (message_id, causation_id, destination, type, key, body, traceparent, publish_after)
select r.*, now() + make_interval(secs => $8)
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::jsonb[], $7::text[]) r
on conflict (message_id) do update set publish_after = excluded.publish_after, published_at = null"""

FIND_ANSWERS = f"select {COLUMNS} from outbox where causation_id = any($1::uuid[])"

LEASE_DUE = f"""
update outbox set
    attempts = attempts + 1,
    publish_after = now() + make_interval(secs => least($2 * 2 ^ least(attempts, 10), $3))
where message_id in (
    select message_id from outbox where published_at is null and publish_after < now()
    order by publish_after limit $1 for update skip locked
)
returning {COLUMNS}"""

COUNT_BACKLOG = "select count(*) from (select from outbox where published_at is null limit $1) as unsent"

MARK = """
update outbox set published_at = now()
where message_id = any($1::uuid[]) and published_at is null"""


def write(messages: Sequence[Message], lease_seconds: float) -> Write:
    """Messages that this process will send right after the commit; one that is sent again keeps its id.

    Sorted, so that two processes which send the same again wait for each other instead of deadlocking.
    """
    messages = sorted(messages, key=lambda message: message.id)
    return Write(
        INSERT,
        (
            [m.id for m in messages],
            [m.causation_id for m in messages],
            [m.destination for m in messages],
            [m.type for m in messages],
            [m.key for m in messages],
            [m.body.to_json() for m in messages],
            [m.traceparent for m in messages],
            lease_seconds,
        ),
        rows=len(messages),
    )


async def find_answers(
    connection: Connection, causes: Iterable[UUID], bodies: Mapping[str, type[Body]]
) -> list[Message]:
    """What these messages once caused, to be sent again under its old id."""
    return [_message(row, bodies) for row in await connection.fetch(FIND_ANSWERS, sorted(causes))]


async def lease_due(
    pool: Pool, rows: int, bodies: Mapping[str, type[Body]], lease_seconds: float, lease_max_seconds: float
) -> list[Message]:
    """Take what should have been sent by now; the lease doubles with every attempt, so an outage is not a storm."""
    due = await pool.fetch(LEASE_DUE, rows, lease_seconds, lease_max_seconds)
    return [message for message in (_if_known(row, bodies) for row in due) if message]


async def count_backlog(pool: Pool, most: int) -> int:
    """How many messages are unsent or unmarked; stops counting at `most`."""
    count: int = await pool.fetchval(COUNT_BACKLOG, most)
    return count


async def mark_published(pool: Pool, ids: Iterable[UUID]) -> None:
    """Note that the receiver has acknowledged these."""
    await pool.execute(MARK, sorted(ids))


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
