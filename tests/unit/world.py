"""The whole system in memory: real rules, simulated databases, a network that loses, doubles and shuffles."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from uuid import UUID, uuid4

import inventory_service.messages as inventory
import order_service.messages as ordering
import payment_service.messages as payment
import saga_orchestrator.messages as orchestrator
from chassis.messages import Body, Message, by_destination
from chassis.records import from_record, headers_of
from inventory_service import reservations
from order_service import orders
from payment_service import payments
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.instance import LogEntry, SagaInstance
from saga_orchestrator.saga import IllegalTransition, decide
from tests.unit.node import Crash, Decide, Node, Row
from tests.unit.records import record


@dataclass(frozen=True, slots=True)
class Checkout:
    """A row of `sagas` with its log."""

    saga: SagaInstance
    log: tuple[LogEntry, ...]


def orchestrate(row: Checkout | None, message: Message, now: datetime, _: bool) -> tuple[Checkout, list[Message]]:
    made = decide(CHECKOUT, row.saga if row else None, message, now, uuid4())
    return Checkout(made.saga, (row.log if row else ()) + made.log), list(made.outgoing)


def asks(rules: ModuleType) -> Decide:
    """A participant over Kafka with these rules."""

    def decide(row: Row, message: Message, now: datetime, unlucky: bool) -> tuple[Row, list[Message]]:
        after, reply = rules.decide(row, message.body, now, unlucky=unlucky)
        return after, [message.cause(reply)]

    return decide


pay = asks(payments)
reserve = asks(reservations)


def order(row: Row, message: Message, now: datetime, _: bool) -> tuple[Row, list[Message]]:
    after, answer = orders.decide(row, message.body, now)  # type: ignore[arg-type]
    return after, [message.cause(answer)]


def of_order(message: Message) -> UUID:
    found: UUID = message.body.order_id  # type: ignore[attr-defined]
    return found


class World:
    """The nodes and the messages between them."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 1, tzinfo=UTC)
        self.orchestrator = Node(orchestrate, lambda message: message.key)
        self.order = Node(order, of_order)
        self.payment = Node(pay, of_order)
        self.inventory = Node(reserve, of_order)
        self.network: list[Message] = []
        self.ever_sent: list[Message] = []
        self._topics = self._subscribe(
            (self.payment, payment.READS),
            (self.inventory, inventory.READS),
            (self.orchestrator, orchestrator.READS),
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
