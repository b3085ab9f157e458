"""Messages in, replies out: the payment service's decider."""

import random
from datetime import datetime
from uuid import UUID

from chassis.database import Connection
from chassis.messages import Message
from payment_service import payments, queries
from payment_service.messages import ChargePayment, RefundPayment
from payment_service.payments import Payment


class Payments:
    """Decides over rows of `payments`."""

    def __init__(self, failure_rate: float) -> None:
        self._failure_rate = failure_rate

    def key(self, message: Message) -> UUID:
        """One order."""
        return _command(message).order_id

    async def load(self, connection: Connection, keys: list[UUID]) -> dict[UUID, Payment]:
        """Lock the payments."""
        return await queries.lock_payments(connection, keys)

    def decide(self, row: Payment | None, message: Message, now: datetime) -> tuple[Payment, list[Message]]:
        """Draw, and ask the rules."""
        unlucky = random.random() < self._failure_rate
        payment, reply = payments.decide(row, _command(message), now, unlucky=unlucky)
        return payment, [message.cause(reply)]

    async def save(self, connection: Connection, rows: list[Payment]) -> None:
        """Write the payments."""
        await queries.save_payments(connection, rows)


def _command(message: Message) -> payments.Command:
    assert isinstance(message.body, ChargePayment | RefundPayment)
    return message.body
