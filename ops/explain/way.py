"""The way of the awaited command and of its reply, one place after the other."""

from collections.abc import Iterator

from ops.explain.facts import ORCHESTRATOR, Facts, Row, awaited, over_http, service_of
from ops.explain.words import when

Stage = tuple[bool | None, str]
"""Whether it has been there, None if nobody can say; and what is known of that."""


def way(facts: Facts) -> Iterator[Stage]:
    """From the orchestrator's outbox back into its inbox; nothing if nothing is awaited."""
    if not facts.saga or not facts.running:
        return
    trail, command = facts.trail, awaited(facts.saga)
    receiver, name = service_of(command), command.__name__
    yield _sent(facts, trail.command, f"{name} {facts.saga['awaiting']}", ORCHESTRATOR)
    yield trail.received, f"handled by {receiver} (its inbox)"
    if over_http(command):
        yield False, "answered: the answer to the call is the reply"
        return
    reply = trail.reply["type"] if trail.reply else "a reply"
    yield (
        (None if receiver in facts.away else False, f"{reply} sent by {receiver}")
        if not trail.reply
        else _sent(facts, trail.reply, f"{reply} {trail.reply['message_id']}", receiver)
    )
    yield trail.returned, f"{reply} handled by {ORCHESTRATOR} (its inbox)"


def _sent(facts: Facts, row: Row | None, what: str, sender: str) -> Stage:
    """What the sender's outbox says."""
    if row is None:
        return False, f"{what} is not in the outbox of {sender}"
    repeats = f", {row['attempts']} times again" if row["attempts"] else ""
    if row["published_at"]:
        at = when(row["published_at"], facts.now)
        return True, f"{what} sent by {sender} to {row['destination']} at {at}{repeats}"
    since, due = when(row["created_at"], facts.now), when(row["publish_after"], facts.now)
    return False, f"{what} unsent in the outbox of {sender}, since {since}{repeats}; due {due}"
