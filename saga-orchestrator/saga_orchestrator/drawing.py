"""A saga as people see it: where it stands, in words, and its log as a sequence diagram. No I/O.

Who takes part and who says what follows from the list of steps, so a new step is drawn without a change here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from saga_orchestrator.definition import Saga, Start
from saga_orchestrator.instance import Cancel, Direction, Kind, Resolve, Retry, SagaInstance, TimedOut
from saga_orchestrator.saga import command_of
from saga_orchestrator.views import EventView

LEFT, LANE, TOP, ROW = 84, 116, 44, 32
LONGEST_LABEL = 60
CUSTOMER, OPERATOR, ORCHESTRATOR = "customer", "operator", "orchestrator"


class Look(StrEnum):
    """What an entry is about, which decides how it is drawn."""

    DO = "do"
    NO = "no"
    UNDO = "undo"
    OPERATOR = "operator"
    TIMEOUT = "timeout"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Lane:
    """Somebody who speaks."""

    name: str
    x: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """An entry of the log. It comes from nobody else if it begins where it ends."""

    seq: int
    y: int
    tail: int
    head: int
    look: Look
    elapsed: str
    label: str
    """Shortened; `text` is all of it."""
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """How long a participant took; open while its answer is awaited."""

    x: int
    top: int
    bottom: int
    open: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """A sequence diagram, in pixels; time goes downwards."""

    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...]
    bars: tuple[Bar, ...]
    middle: int
    """Where the orchestrator is."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Awaited:
    """The command whose reply a running saga waits for."""

    command: str
    step: str
    attempt: str
    otherwise: str
    """What happens at the deadline."""


def awaited(definition: Saga, saga: SagaInstance) -> Awaited | None:
    """What it waits for; None when it has ended."""
    if saga.awaiting is None:
        return None
    step, forward = definition.steps[saga.position], saga.direction is Direction.FORWARD
    command = command_of(step, saga.direction)
    number = f"{saga.position + 1} of {len(definition.steps)}, {step.name}"
    if not forward or saga.position > definition.pivot or step.undo is None:
        return Awaited(command.__name__, number, str(saga.attempt), "it is sent again, until it is answered")
    last = saga.attempt >= step.tries
    otherwise = "the outcome counts as unknown, and the step is undone" if last else "it is sent again"
    return Awaited(command.__name__, number, f"{saga.attempt} of {step.tries}", otherwise)


def in_words(saga: SagaInstance, waits: Awaited | None) -> str:
    """Where it stands, in a sentence."""
    why = f"{saga.step}: {saga.reason}" if saga.reason else saga.step
    if waits is None:
        return f"Ended at {why}."
    back = "" if saga.direction is Direction.FORWARD else f"Goes back, because of {why}. "
    return f"{back}Waits for the answer to {waits.command}."


def age(passed: timedelta) -> str:
    """Roughly: 12 s, 3 min, 5 h, 2 d."""
    seconds = max(0, int(passed.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def draw(definition: Saga, saga: SagaInstance, events: Sequence[EventView]) -> Drawing:
    """The log as a diagram; whoever says nothing in it has no lane, except the participants of the steps."""
    cast = _cast(definition, saga.start)
    spoken = {cast[event.type][0] for event in events if event.type in cast}
    people = [name for name in (CUSTOMER, OPERATOR) if name in spoken]
    participants = dict.fromkeys(step.do.participant() for step in definition.steps)
    lanes = [*people, ORCHESTRATOR, *participants]
    places = {name: LEFT + LANE * number + LANE // 2 for number, name in enumerate(lanes)}
    arrows = tuple(_arrows(cast, places, saga, events))
    bottom = TOP + ROW * (len(events) + 1)
    return Drawing(
        lanes=tuple(Lane(name, x) for name, x in places.items()),
        arrows=arrows,
        bars=tuple(_bars(arrows, events, saga.awaiting, bottom)),
        middle=places[ORCHESTRATOR],
        width=LEFT + LANE * len(lanes),
        height=bottom + ROW,
    )


def _cast(definition: Saga, start: Start) -> dict[str, tuple[str, Look]]:
    """Message type -> who says or hears it besides the orchestrator, and how it looks."""
    cast = {type(start).__name__: (CUSTOMER, Look.DO), TimedOut.__name__: (ORCHESTRATOR, Look.TIMEOUT)}
    cast |= {action.__name__: (OPERATOR, Look.OPERATOR) for action in (Cancel, Retry, Resolve)}
    for step in definition.steps:
        messages = {step.do: Look.DO, step.yes: Look.DO, step.no: Look.NO, step.undo: Look.UNDO, step.undone: Look.UNDO}
        who = step.do.participant()
        cast |= {message.__name__: (who, look) for message, look in messages.items() if message}
    return cast


def _arrows(
    cast: dict[str, tuple[str, Look]], places: dict[str, int], saga: SagaInstance, events: Sequence[EventView]
) -> Iterator[Arrow]:
    sent: set[UUID] = set()
    before = ""
    for number, event in enumerate(events, 1):
        who, look = cast.get(event.type, (ORCHESTRATOR, Look.LATE))
        ends = [places[who], places[ORCHESTRATOR]]
        if event.kind == Kind.SENT:
            ends.reverse()
        elapsed = f"{(event.at - saga.created_at) / timedelta(milliseconds=1):,.0f} ms"
        text = _text(event, again=event.message_id in sent)
        yield Arrow(
            seq=event.seq,
            y=TOP + ROW * number,
            tail=ends[0],
            head=ends[1],
            look=Look.LATE if event.kind == Kind.LATE else look,
            elapsed="" if elapsed == before else elapsed,
            label=text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…",
            text=text,
        )
        before = elapsed
        sent |= {event.message_id} if event.kind == Kind.SENT else set()


def _text(event: EventView, again: bool) -> str:
    body = event.body if isinstance(event.body, dict) else {}
    if event.type == TimedOut.__name__:
        return f"no answer to try {body.get('attempt', '?')}"
    reason = body.get("reason")
    text = f"{event.type}: {reason}" if reason else event.type
    if event.kind == Kind.LATE:
        return f"{text} (too late)"
    return f"{text} (again)" if again else text


def _bars(arrows: Sequence[Arrow], events: Sequence[EventView], awaiting: UUID | None, bottom: int) -> Iterator[Bar]:
    asked: dict[UUID, Arrow] = {}
    for arrow, event in zip(arrows, events, strict=True):
        if event.kind == Kind.SENT:
            asked.setdefault(event.message_id, arrow)
        elif event.causation_id in asked:
            question = asked.pop(event.causation_id)
            yield Bar(question.head, question.y, arrow.y)
    if awaiting in asked:
        yield Bar(asked[awaiting].head, asked[awaiting].y, bottom, open=True)
