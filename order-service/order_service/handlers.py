"""Messages in, answers out: the order service's decider."""

from datetime import datetime
from uuid import UUID

from chassis.database import Connection
from chassis.messages import Message
from order_service import orders, queries
from order_service.messages import CreateOrder, SetOrderStatus
from order_service.orders import Order


class Orders:
    """Decides over rows of `orders`."""

    def key(self, message: Message) -> UUID:
        """One order."""
        return _command(message).order_id

    async def load(self, connection: Connection, keys: list[UUID]) -> dict[UUID, Order]:
        """Lock the orders."""
        return await queries.lock_orders(connection, keys)

    def decide(self, row: Order | None, message: Message, now: datetime) -> tuple[Order | None, list[Message]]:
        """Ask the rules."""
        order, answer = orders.decide(row, _command(message), now)
        return order, [message.cause(answer)]

    async def save(self, connection: Connection, rows: list[Order]) -> None:
        """Write the orders."""
        await queries.save_orders(connection, rows)


def _command(message: Message) -> orders.Command:
    assert isinstance(message.body, CreateOrder | SetOrderStatus)
    return message.body
