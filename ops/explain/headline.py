"""What became of a checkout, or what it waits for and what will happen if no answer comes."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from ops.explain.facts import PATIENCE, UNDOS, Facts, Row, awaited, service_of, step_of
from ops.explain.words import clock, listed, span, when
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definitions import MISSING
from saga_orchestrator.instance import Direction


def headline(facts: Facts) -> Iterator[str]:
    """A few sentences, the most important first."""
    if facts.saga is None:
        yield _without_saga(facts)
    elif why := facts.saga.get("cannot_be_read"):
        yield f"{facts.saga['status']} at {facts.saga['step']}, begun {clock(facts.saga['created_at'])}."
        yield f"NEEDS ATTENTION: its row {why}. Its messages fail until it can be read; every other saga goes on."
    elif facts.elsewhere:
        yield f"RUNNING at {facts.saga['step']}, begun {clock(facts.saga['created_at'])}."
        yield f"It stands at {facts.saga['stands_at']}, {MISSING}: an orchestrator of a version that has it goes on."
    elif facts.running:
        yield from _running(facts, facts.saga)
    else:
        yield from _ended(facts, facts.saga)


def _without_saga(facts: Facts) -> str:
    if facts.letters:
        return "No checkout known here: a dead letter that no saga waits for."
    if "saga-orchestrator" in facts.away:
        return "Whether a saga is behind it cannot be said: the orchestrator's database cannot be read."
    return "No saga is behind this order: a foreign client has made it."


def _ended(facts: Facts, saga: Row) -> Iterator[str]:
    counted = [entry for entry in facts.log if entry["kind"] == "RECEIVED"]
    took = span(counted[-1]["at"] - saga["created_at"])
    reason = f" ({saga['reason']})" if saga["reason"] else ""
    yield (
        f"{saga['status']} at {saga['step']}{reason}, {took} after it began at"
        f" {when(saga['created_at'], facts.now)}. It has ended: nothing moves it any more."
    )
    undone = [entry["type"] for entry in facts.log if entry["kind"] == "SENT" and entry["type"] in UNDOS]
    if counted[-1]["type"] == "Resolve":
        yield "An operator has ended it by hand, and answers for what the rows say."
    elif undone:
        yield f"Undone by {listed(dict.fromkeys(undone))}."
    elif saga["status"] == "FAILED":
        yield "Nothing had been done that had to be undone."


def _running(facts: Facts, saga: Row) -> Iterator[str]:
    command, step = awaited(saga), step_of(saga)
    if saga["needs_attention"]:
        yield f"NEEDS ATTENTION: {saga['needs_attention']}."
    if saga["direction"] == Direction.BACKWARD:
        reason = f" ({saga['reason']})" if saga["reason"] else ""
        yield f"It is being undone, for {saga['step']}{reason}; still to do: {listed(_undos(saga['place']))}."
    since = saga["awaited_since"]
    yield (
        f"RUNNING at {saga['step']}, begun {clock(saga['created_at'])}. It waits for the reply of {service_of(command)}"
        f" to {command.__name__} since {when(since, facts.now)}: step {saga['place'] + 1} of {len(CHECKOUT.steps)}"
        f" ({step.name}), try {saga['attempt']}{f' of {step.tries}' if saga['attempt'] <= step.tries else ''}."
    )
    if facts.now > saga["deadline"] + PATIENCE:
        yield f"The next try was due at {when(saga['deadline'], facts.now)}: the orchestrator itself is late."
    yield from _next(facts, saga)


def _next(facts: Facts, saga: Row) -> Iterator[str]:
    """What happens without a reply, as `saga.decide` will decide it."""
    step, attempt, due = step_of(saga), saga["attempt"], saga["deadline"]
    undoes = saga["direction"] == Direction.FORWARD and saga["place"] <= CHECKOUT.pivot
    by = f"by {when(due, facts.now)} " if due > facts.now else ""
    end = f"the saga is undone: {listed(_undos(saga['place']))}; then it is FAILED at {step.timed_out}"
    if undoes and attempt >= step.tries:
        yield f"Without a reply {by}{end}."
        return
    yield f"Without a reply {by}it is sent again, under the same id."
    last = when(_last(saga), facts.now)
    if undoes:
        yield f"When try {step.tries} has no reply either, at about {last}, {end}."
    elif saga["needs_attention"]:
        yield f"So for ever, every {span(step.wait(attempt))}, until a reply comes or an operator resolves it."
    else:
        yield f"So for ever; without a reply to try {step.tries}, at about {last}, it is flagged."


def _undos(position: int) -> list[str]:
    """What is sent to undo the steps up to this one."""
    return [step.undo.__name__ for step in reversed(CHECKOUT.steps[: position + 1]) if step.undo]


def _last(saga: Row) -> datetime:
    """When the last of the tries is over; about, for jitter and STEP_TIMEOUT_SCALE are not known here."""
    step = step_of(saga)
    to_come = (step.wait(attempt) for attempt in range(saga["attempt"] + 1, step.tries + 1))
    last: datetime = saga["deadline"] + sum(to_come, timedelta(0))
    return last
