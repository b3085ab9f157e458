"""The way of the awaited command and of its reply: the one place where it has stopped, and what to do there.

A rule a place, in the order of the way; the first that applies has the say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Final, TypeAlias

from ops.explain import todo
from ops.explain.facts import KAFKA, ORCHESTRATOR, PATIENCE, Facts, Row, awaited, over_http, service_of, step_of
from ops.explain.words import span, when
from ops.letters import Letter
from saga_orchestrator.instance import Direction


@dataclass(frozen=True, slots=True)
class Stop:
    """Where it stands, in a sentence, and the commands to run next."""

    where: str
    todo: tuple[str, ...]


Rule: TypeAlias = Callable[[Facts, Row], Stop | None]


def stopped(facts: Facts) -> Stop | None:
    """The place; None if nothing is awaited and no dead letter is open."""
    if facts.running and facts.saga:
        for rule in RULES:
            if stop := rule(facts, facts.saga):
                return stop
    if facts.letters:
        letter = facts.letters[0]
        return Stop(f"Nothing waits for it, but {_said(letter)} is open.", (todo.show(letter), todo.drop(letter)))
    return None


def _unwritten(facts: Facts, saga: Row) -> Stop | None:
    if facts.trail.command:
        return None
    where = f"{awaited(saga).__name__} is not in the orchestrator's outbox (any more); the next try writes it again."
    return Stop(where, (todo.operator(facts, saga, "retry"),))


def _dead(facts: Facts, saga: Row) -> Stop | None:
    """The command or its reply is a dead letter."""
    if not (letter := _copy(facts, saga, facts.letters)):
        return None
    where = f"{_what(facts, saga)} could not be handled: {_said(letter)}."
    return Stop(where, (todo.show(letter), todo.redrive(letter)))


def _stranger(facts: Facts, saga: Row) -> Stop | None:
    """A reply that no outbox of ours has sent, but which would be the awaited one."""
    step, forward = step_of(saga), saga["direction"] == Direction.FORWARD
    topics = {reply.destination for reply in ((step.yes, step.no) if forward else (step.undone,)) if reply}
    for letter in facts.letters:
        answers = letter.headers.get("causation-id") in (None, str(saga["awaiting"]))
        if answers and letter.saga_id == saga["saga_id"] and letter.topic in topics:
            where = f"A reply on {letter.topic} could not be handled: {_said(letter)}."
            return Stop(where, (todo.show(letter), todo.redrive(letter)))
    return None


def _receiver_away(facts: Facts, saga: Row) -> Stop | None:
    service = service_of(awaited(saga))
    if service not in facts.away:
        return None
    where = f"The database of {service} cannot be read ({facts.away[service]}); without it {service} handles nothing."
    return Stop(f"{where} What waits for it is not lost.", (todo.STATUS, todo.logs(service)))


def _unsent(facts: Facts, saga: Row) -> Stop | None:
    row, command = facts.trail.command, awaited(saga)
    assert row
    if row["published_at"] or (facts.trail.received and not over_http(command)):
        return None
    receiver = service_of(command) if over_http(command) else KAFKA
    done = f"it has handled {row['type']}, but its answer has not come back" if facts.trail.received else ""
    return _not_out(facts, row, ORCHESTRATOR, receiver, done)


def _retried(facts: Facts, saga: Row) -> Stop | None:
    """It failed, and waits for its next try there."""
    letter = _copy(facts, saga, facts.retries)
    if not letter:
        return None
    topic, delay = letter.place.service, letter.place.service.rpartition(".")[2]
    where = (
        f"{_what(facts, saga)} failed {letter.headers.get('attempt', '?')} times and waits {delay} on {topic}"
        f" since {letter.headers.get('failed-at', '?')}: {_error(letter)}"
    )
    return Stop(where, (todo.logs(topic.partition(".")[0]), todo.again(facts)))


def _unreceived(facts: Facts, saga: Row) -> Stop | None:
    if facts.trail.received or over_http(awaited(saga)):
        return None
    assert facts.trail.command
    return _unread(facts, facts.trail.command, service_of(awaited(saga)))


def _unanswered(facts: Facts, saga: Row) -> Stop | None:
    if facts.trail.reply or over_http(awaited(saga)):
        return None
    where = f"{service_of(awaited(saga))} has handled it, but its reply is not in its outbox any more; the next try is"
    return Stop(f"{where} answered from its row.", (todo.operator(facts, saga, "retry"),))


def _reply_unsent(facts: Facts, saga: Row) -> Stop | None:
    reply = facts.trail.reply
    if not reply or reply["published_at"] or facts.trail.returned:
        return None
    return _not_out(facts, reply, service_of(awaited(saga)), KAFKA)


def _unreturned(facts: Facts, saga: Row) -> Stop | None:
    reply = facts.trail.reply
    return _unread(facts, reply, ORCHESTRATOR) if reply and not facts.trail.returned else None


def _otherwise(facts: Facts, saga: Row) -> Stop | None:
    """What is left: the reply has come back, and the saga has not moved."""
    where = "The orchestrator has had the answer and still waits: seen in the middle of it, or it did not count."
    return Stop(where, (todo.again(facts), todo.operator(facts, saga, "retry")))


RULES: Final[Sequence[Rule]] = (
    _unwritten,
    _dead,
    _stranger,
    _receiver_away,
    _unsent,
    _retried,
    _unreceived,
    _unanswered,
    _reply_unsent,
    _unreturned,
    _otherwise,
)


def _not_out(facts: Facts, row: Row, sender: str, receiver: str, done: str = "") -> Stop:
    """A message that is in its sender's outbox, and whose receiver has not acknowledged it."""
    name = row["type"]
    if sender in facts.unready and facts.now > row["publish_after"] + PATIENCE:
        return _stands_still(facts, sender, f"{name} is due in its outbox and is not sent")
    if receiver in facts.away or receiver in facts.unready:
        return _stands_still(facts, receiver, done or f"{name} of {sender} does not get through to it")
    if facts.now < row["publish_after"] and not row["attempts"]:
        return Stop(f"{sender} is sending {name} right now.", (todo.again(facts),))
    where = done or f"{sender} does not get {name} to {receiver}: unsent after {row['attempts']} more tries"
    more = (todo.logs(receiver),) if receiver != KAFKA else (todo.STATUS,)
    return Stop(f"{where}, next at {when(row['publish_after'], facts.now)}.", (todo.logs(sender), *more))


def _unread(facts: Facts, row: Row, receiver: str) -> Stop:
    """A message that was sent, and which its receiver has not handled."""
    name, sent = row["type"], row["published_at"]
    if KAFKA in facts.away:
        return _stands_still(facts, KAFKA, f"{name} was sent, and {receiver} has not handled it")
    if receiver in facts.unready:
        return _stands_still(facts, receiver, f"{name} lies in {row['destination']} before it")
    if sent is None or facts.now < sent + PATIENCE:
        return Stop(f"{name} is on its way to {receiver}.", (todo.again(facts),))
    where = f"{name} lies in {row['destination']} for {span(facts.now - sent)}, and {receiver} has not handled it,"
    return Stop(f"{where} though it says that it is well: it lags, or it fails.", (todo.logs(receiver),))


def _stands_still(facts: Facts, who: str, what: str) -> Stop:
    why = facts.away.get(who) or facts.unready[who]
    mend = (todo.mend(who, why),) if who in facts.unready and who not in facts.away else ()
    return Stop(f"{who} does not work ({why}): {what}.", (todo.STATUS, todo.logs(who), *mend))


def _copy(facts: Facts, saga: Row, among: Sequence[Letter]) -> Letter | None:
    """The newest one of the awaited command or, if that was handled, of its reply."""
    reply = facts.trail.reply if facts.trail.received else None
    if facts.trail.returned or (facts.trail.received and not reply):
        return None
    message_id = reply["message_id"] if reply else saga["awaiting"]
    found = [letter for letter in among if letter.headers.get("message-id") == str(message_id)]
    return max(found, key=lambda letter: letter.headers.get("failed-at", ""), default=None)


def _what(facts: Facts, saga: Row) -> str:
    reply = facts.trail.reply
    return str(reply["type"]) if facts.trail.received and reply else awaited(saga).__name__


def _said(letter: Letter) -> str:
    return f"dead letter {letter.place} ({_error(letter)})"


def _error(letter: Letter) -> str:
    """Its first line, as much as a screen has room for; `dlq show` has it all."""
    return shorten(letter.headers.get("error", "?").partition("\n")[0], 160, placeholder=" ...")
