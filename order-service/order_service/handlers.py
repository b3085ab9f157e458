"""Messages in, answers out: the order service's decider."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.decider import Decider
from chassis.messages import Message
from chassis.writes import Write
from order_service import orders, queries
from order_service.messages import CreateOrder, SetOrderStatus
from order_service.orders import Order


class Orders(Decider[Order]):
    """Decides over rows of `orders`."""

    LOAD = queries.LOAD
    BEGINS = (CreateOrder,)

    def key(self, message: Message) -> UUID:
        """One order."""
        return command_of(message).order_id

    def read(self, record: Mapping[str, Any]) -> Order:
        """A row of `orders`."""
        return queries.read(record)

    def decide(self, row: Order | None, message: Message, now: datetime) -> tuple[Order | None, list[Message]]:
        """Ask the rules."""
        order, answer = orders.decide(row, command_of(message), now)
        return order, [message.cause(answer)]

    def save(self, rows: list[Order]) -> list[Write]:
        """Write the orders."""
        return [queries.save(rows)]


def command_of(message: Message) -> orders.Command:
    """What the message asks for."""
    assert isinstance(message.body, CreateOrder | SetOrderStatus)
    return message.body
