"""The whole system in memory: real rules, simulated databases, a network that loses, doubles and shuffles.

Each node does what the chassis does with a message, one line after the other, and may die between any two.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import inventory_service.messages as inventory
import order_service.messages as ordering
import payment_service.messages as payment
import saga_orchestrator.messages as orchestrator
from chassis.kafka import from_record, headers_of
from chassis.messages import Body, Command, Event, Message, by_destination
from inventory_service import reservations
from order_service import orders
from payment_service import payments
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.instance import LogEntry, SagaInstance
from saga_orchestrator.saga import IllegalTransition, decide
from tests.unit.records import record

Row = Any
Decide = Callable[[Row | None, Message, datetime, bool], tuple[Row | None, list[Message]]]


class Crash(StrEnum):
    """The line before which a node dies."""

    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"
    BEFORE_SEND = "before send"
    BEFORE_MARK = "before mark"


class Dead(Exception):
    """The process was killed here; what it had in memory is gone."""


@dataclass(slots=True)
class OutboxRow:
    message: Message
    published: bool = False


@dataclass
class Node:
    """One service: a database that survives, and a memory of what to send that does not."""

    decide: Decide
    key: Callable[[Message], UUID]
    rows: dict[UUID, Row] = field(default_factory=dict)
    inbox: set[UUID] = field(default_factory=set)
    outbox: dict[UUID, OutboxRow] = field(default_factory=dict)
    memory: list[Message] = field(default_factory=list)
    history: defaultdict[UUID, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Every status that a row has had."""

    def handle(self, message: Message, now: datetime, unlucky: bool = False, crash: Crash | None = None) -> Row:
        """One transaction, as in `chassis.batcher`; the answers for the submitter are returned with the row."""
        again = [row for row in self.outbox.values() if row.message.causation_id == message.id]
        if message.id in self.inbox and (again or isinstance(message.body, Event)):
            self._die(crash, Crash.BEFORE_COMMIT)
            for row in again if isinstance(message.body, Command) else []:
                row.published = False
                self.memory.append(row.message)
            return self.rows.get(self.key(message)), []
        row, outgoing = self.decide(self.rows.get(self.key(message)), message, now, unlucky)
        self._die(crash, Crash.BEFORE_COMMIT)
        self.inbox.add(message.id)
        if row is not None:
            self._save(self.key(message), row)
        sent = [m for m in outgoing if m.destination]
        self.outbox |= {m.id: OutboxRow(m) for m in sent}
        self._die(crash, Crash.AFTER_COMMIT)
        self.memory += sent
        return row, outgoing

    def _save(self, key: UUID, row: Row) -> None:
        status = getattr(row, "status", "")
        if not self.history[key] or self.history[key][-1] != status:
            self.history[key].append(status)
        self.rows[key] = row

    def send(self, put: Callable[[Message], None], crash: Crash | None = None) -> None:
        """The relay: send the oldest message from memory, then mark it."""
        message = self.memory.pop(0)
        self._die(crash, Crash.BEFORE_SEND)
        put(message)
        self._die(crash, Crash.BEFORE_MARK)
        if message.id in self.outbox:
            self.outbox[message.id].published = True

    def sweep(self) -> None:
        """What another process has left unsent."""
        known = {message.id for message in self.memory}
        self.memory += [r.message for i, r in self.outbox.items() if not r.published and i not in known]

    def prune(self) -> None:
        """Forget what was published long ago."""
        self.outbox = {i: row for i, row in self.outbox.items() if not row.published}

    def _die(self, crash: Crash | None, here: Crash) -> None:
        if crash is here:
            self.memory.clear()
            raise Dead(here)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A row of `sagas` with its log."""

    saga: SagaInstance
    log: tuple[LogEntry, ...]


def orchestrate(row: Checkout | None, message: Message, now: datetime, _: bool) -> tuple[Checkout, list[Message]]:
    made = decide(CHECKOUT, row.saga if row else None, message, now, uuid4())
    return Checkout(made.saga, (row.log if row else ()) + made.log), list(made.outgoing)


def pay(row: Row, message: Message, now: datetime, unlucky: bool) -> tuple[Row, list[Message]]:
    after, reply = payments.decide(row, message.body, now, unlucky=unlucky)  # type: ignore[arg-type]
    return after, [message.cause(reply)]


def reserve(row: Row, message: Message, now: datetime, unlucky: bool) -> tuple[Row, list[Message]]:
    after, reply = reservations.decide(row, message.body, now, unlucky=unlucky)  # type: ignore[arg-type]
    return after, [message.cause(reply)]


def order(row: Row, message: Message, now: datetime, _: bool) -> tuple[Row, list[Message]]:
    after, answer = orders.decide(row, message.body, now)  # type: ignore[arg-type]
    return after, [message.cause(answer)]


def of_order(message: Message) -> UUID:
    found: UUID = message.body.order_id  # type: ignore[attr-defined]
    return found


class World:
    """Four nodes and the messages between them."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 1, tzinfo=UTC)
        self.orchestrator = Node(orchestrate, lambda message: message.key)
        self.order = Node(order, of_order)
        self.payment = Node(pay, of_order)
        self.inventory = Node(reserve, of_order)
        self.network: list[Message] = []
        self.ever_sent: list[Message] = []
        self._topics = self._subscribe(
            (self.payment, payment.READS), (self.inventory, inventory.READS), (self.orchestrator, orchestrator.READS)
        )

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.orchestrator, self.order, self.payment, self.inventory

    @property
    def checkouts(self) -> list[Checkout]:
        return list(self.orchestrator.rows.values())

    def put(self, message: Message) -> None:
        """Onto the network."""
        self.network.append(message)
        self.ever_sent.append(message)

    def take_all(self) -> list[Message]:
        """Off the network."""
        taken, self.network = self.network, []
        return taken

    def deliver(self, message: Message, unlucky: bool = False, crash: Crash | None = None) -> None:
        """To whoever reads it, in its own words; an operator who comes too late is told so."""
        self.now += timedelta(seconds=1)
        try:
            if message.destination == "order-service":
                self._call(message, crash)
            elif message.destination in self._topics:
                node, read = self._topics[message.destination]
                node.handle(_on_the_wire(message, read), self.now, unlucky, crash)
            else:
                self.orchestrator.handle(message, self.now, unlucky, crash)
        except IllegalTransition:
            return

    def _call(self, message: Message, crash: Crash | None) -> None:
        """HTTP: the answer goes straight into the orchestrator's queue, unless somebody dies in between."""
        row, (answer,) = self.order.handle(_as_http(message), self.now, False, crash)
        reply = _reply_of(message, row, answer.body)
        if reply and crash is not Crash.BEFORE_SEND:
            self.orchestrator.handle(message.cause(reply), self.now, False, crash)

    @staticmethod
    def _subscribe(*groups: tuple[Node, Iterable[type[Body]]]) -> dict[str, tuple[Node, type[Body]]]:
        return {topic: (node, body) for node, reads in groups for topic, body in by_destination(reads).items()}


def _on_the_wire(message: Message, read: type[Body]) -> Message:
    topic = message.destination
    return from_record(record(topic, message.body.to_json().encode(), headers_of(message)), {topic: read})


def _as_http(message: Message) -> Message:
    creates = message.type == "CreateOrder"
    body = (ordering.CreateOrder if creates else ordering.SetOrderStatus).model_validate_json(message.body.to_json())
    return Message(body, message.id)


def _reply_of(message: Message, row: Row, answer: Body) -> Body | None:
    """As `saga_orchestrator.order_client` reads the answer: None is a fault that is not a reply."""
    saga_id = message.key
    stored = isinstance(answer, ordering.OrderStored)
    match message.type:
        case "CreateOrder" if stored and row.status is not orders.Status.CANCELLED:
            return orchestrator.OrderCreated(saga_id=saga_id)
        case "CreateOrder":
            return orchestrator.OrderRejected(saga_id=saga_id, reason="no")
        case "CancelOrder" if stored:
            return orchestrator.OrderCancelled(saga_id=saga_id)
        case "ConfirmOrder" if stored:
            return orchestrator.OrderConfirmed(saga_id=saga_id)
    return None
