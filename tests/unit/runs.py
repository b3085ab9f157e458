"""A checkout saga in the hands of a test: every message, every reachable state, every log."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from chassis.messages import Body, Message
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.instance import Cancel, Kind, LogEntry, Resolve, Retry, SagaInstance, Status, TimedOut
from saga_orchestrator.messages import (
    READS,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderRejected,
    StartCheckout,
)
from saga_orchestrator.saga import IllegalTransition, decide

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SAGA, ORDER, STRANGER = UUID(int=1), UUID(int=2), UUID(int=3)
AMOUNT, REASON = Decimal("19.99"), "NOT_TODAY"
START = StartCheckout(saga_id=SAGA, order_id=ORDER, user_id="alice", total_amount=AMOUNT)

FIELDS = {"saga_id": SAGA, "order_id": ORDER, "amount": AMOUNT, "reason": REASON}
AGREED = tuple(step.yes for step in CHECKOUT.steps)
"""The replies of a checkout that everybody agrees to."""
REPLIES = (OrderCreated, OrderRejected, OrderConfirmed, OrderCancelled, *READS)
OPERATOR = (Cancel(saga_id=SAGA, reason="no"), Retry(saga_id=SAGA, reason="now"), Resolve(saga_id=SAGA, reason="done"))


def reply(kind: type[Body]) -> Body:
    """A reply of this type to this saga."""
    return kind.model_validate({name: FIELDS[name] for name in kind.model_fields})


@dataclass(frozen=True)
class Run:
    """A saga, what it sent last, and its log so far."""

    saga: SagaInstance
    sent: Message
    log: tuple[LogEntry, ...]

    @property
    def state(self) -> str:
        """COMPLETED, FAILED, or the name of the command whose reply is awaited."""
        return self.sent.type if self.saga.status is Status.RUNNING else self.saga.status

    @property
    def timed_out(self) -> TimedOut:
        assert self.saga.awaiting is not None
        return TimedOut(saga_id=SAGA, awaiting=self.saga.awaiting, attempt=self.saga.attempt, seq=self.saga.seq)

    @property
    def next_at(self) -> datetime:
        """When the next message comes."""
        return NOW + timedelta(seconds=self.saga.seq)

    def on(self, body: Body, causation_id: UUID | None = None) -> "Run":
        """What is after this message."""
        message = Message(body, uuid4(), causation_id)
        made = decide(CHECKOUT, self.saga, message, self.next_at, uuid4())
        return Run(made.saga, made.outgoing[0] if made.outgoing else self.sent, self.log + made.log)

    def answered(self, kind: type[Body]) -> "Run":
        """What is after this reply to the awaited command."""
        return self.on(reply(kind), self.saga.awaiting)

    def unanswered(self) -> "Run":
        """What is after the last try, too, stayed without a reply."""
        run = self
        while run.sent.id == self.sent.id and run.saga.needs_attention is None:
            run = run.on(run.timed_out)
        return run


def begin() -> Run:
    """A checkout that has just begun."""
    made = decide(CHECKOUT, None, Message.new(START), NOW, uuid4())
    return Run(made.saga, made.outgoing[0], made.log)


def reached(*replies: type[Body]) -> Run:
    """A checkout that got these replies, one to each command."""
    run = begin()
    for kind in replies:
        run = run.answered(kind)
    return run


def reachable() -> list[Run]:
    """One run for each state that any messages in any order can lead to."""
    found: dict[tuple[object, ...], Run] = {}
    todo = [begin()]
    while todo:
        run = todo.pop()
        saga = run.saga
        key = (run.state, saga.step, min(saga.attempt, 7), saga.needs_attention is None, saga.position, saga.direction)
        if key not in found:
            found[key] = run
            todo += _neighbours(run)
    return list(found.values())


def _neighbours(run: Run) -> Iterator[Run]:
    bodies = [reply(kind) for kind in REPLIES] + list(OPERATOR)
    if run.saga.status is Status.RUNNING:
        bodies.append(run.timed_out)
    for body in bodies:
        try:
            yield run.on(body)
        except IllegalTransition:
            continue


def replay(log: tuple[LogEntry, ...]) -> SagaInstance | None:
    """The saga that this log tells of."""
    saga = None
    for entry, following in zip(log, (*log[1:], None), strict=True):
        if entry.kind is not Kind.SENT:
            sent = following.message.id if following and following.kind is Kind.SENT else UUID(int=0)
            saga = decide(CHECKOUT, saga, entry.message, entry.at, sent).saga
    return saga


def unchanged_but_for_the_log(before: Run, after: Run) -> bool:
    """Whether nothing happened except that the log tells of a late message."""
    return replace(after.saga, seq=before.saga.seq) == before.saga and [e.kind for e in after.log][
        len(before.log) :
    ] == ["LATE"]
