"""I9: what was committed to an outbox is published, and what was published is applied, once."""

from collections.abc import Iterable
from uuid import UUID

from audit.look import Look
from audit.report import Finding, Verdict
from audit.streams import blocks, merge

MOST = 10_000
PARTICIPANTS = ("payment-service", "inventory-service")

UNPUBLISHED = """
select message_id, type, key from outbox
where published_at is null and created_at < now() - make_interval(secs => $1) limit $2"""

TWICE = """
select saga_id, message_id from saga_events where kind <> 'SENT'
group by saga_id, message_id, type having count(*) > 1 limit $1"""
"""A stranger may give one id to several messages, of different types or of different sagas."""
REPLIED_TWICE = """
select causation_id from outbox where causation_id is not null
group by causation_id having count(*) > 1 limit $1"""
SAGA_OF = "select distinct causation_id, key from outbox where causation_id = any($1::uuid[])"

REPLIES = "select message_id, key from outbox order by message_id"
INBOX = "select message_id from inbox order by message_id"
KNOWN = "select saga_id, order_id from sagas where saga_id = any($1::uuid[])"


async def published(look: Look, verdict: Verdict) -> None:
    """Every outbox row is published, or still young."""
    for service, database in look.snapshots.by_service.items():
        verdict.looked += await database.fetchval("select count(*) from outbox")
        stuck = await database.fetch(UNPUBLISHED, look.options.recovery_seconds, MOST)
        todo = f"look whether the relay of {service} runs and reaches its receiver"
        verdict.add(Finding(f"{row['type']} {row['message_id']} is not published", todo, row["key"]) for row in stuck)


async def applied_once(look: Look, verdict: Verdict) -> None:
    """No saga's log has a message twice, and no participant has two replies to one command."""
    database = look.snapshots.orchestrator
    todo = "the inbox let it through"
    rows = await database.fetch(TWICE, MOST)
    order_of = await _orders(look, [row["saga_id"] for row in rows])
    verdict.add(
        Finding(f"message {row['message_id']} counted twice", todo, row["saga_id"], order_of.get(row["saga_id"]))
        for row in rows
    )
    for service in PARTICIPANTS:
        participant = look.snapshots.by_service[service]
        commands = [row["causation_id"] for row in await participant.fetch(REPLIED_TWICE, MOST)]
        saga_of = {row["causation_id"]: row["key"] for row in await participant.fetch(SAGA_OF, commands)}
        order_of = await _orders(look, saga_of.values())
        verdict.add(
            Finding(f"{service} handled command {command} twice", todo, saga_id, order_of.get(saga_id))
            for command, saga_id in saga_of.items()
        )


async def arrived(look: Look, verdict: Verdict) -> None:
    """Once all is quiet, every reply to one of our sagas is in the orchestrator's inbox."""
    if not look.options.quiesced:
        return
    for service in PARTICIPANTS:
        lost: dict[UUID, UUID] = {}
        async for replies, handled in merge(
            blocks(look.snapshots.by_service[service], REPLIES, columns="uuid uuid"),
            blocks(look.snapshots.orchestrator, INBOX, columns="uuid"),
        ):
            for message_id in list(replies.keys() - handled.keys())[: MOST - len(lost)]:
                lost[UUID(bytes=message_id)] = UUID(bytes=replies[message_id][1])
        order_of = await _orders(look, lost.values())
        verdict.add(
            Finding(
                f"reply {message_id} of {service} never arrived",
                "make republish, and look at the orchestrator's consumer",
                saga_id,
                order_of[saga_id],
            )
            for message_id, saga_id in lost.items()
            if saga_id in order_of
        )


async def _orders(look: Look, saga_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The orders of those sagas that are ours."""
    known = await look.snapshots.orchestrator.fetch(KNOWN, list(set(saga_ids)))
    return {row["saga_id"]: row["order_id"] for row in known}
