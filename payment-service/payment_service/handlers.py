"""Messages in, replies out: the payment service's decider."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.decider import Decider
from chassis.messages import Message
from chassis.writes import Write
from payment_service import payments, queries
from payment_service.messages import ChargePayment, RefundPayment
from payment_service.payments import Payment


class Payments(Decider[Payment]):
    """Decides over rows of `payments`."""

    LOAD = queries.LOAD
    BEGINS = (ChargePayment,)

    def __init__(self, failure_rate: float) -> None:
        self._failure_rate = failure_rate

    def key(self, message: Message) -> UUID:
        """One order."""
        return _command(message).order_id

    def read(self, record: Mapping[str, Any]) -> Payment:
        """A row of `payments`."""
        return queries.read(record)

    def decide(self, row: Payment | None, message: Message, now: datetime) -> tuple[Payment, list[Message]]:
        """Draw, and ask the rules."""
        unlucky = random.random() < self._failure_rate
        payment, reply = payments.decide(row, _command(message), now, unlucky=unlucky)
        return payment, [message.cause(reply)]

    def save(self, rows: list[Payment]) -> list[Write]:
        """Write the payments."""
        return [queries.save(rows)]


def _command(message: Message) -> payments.Command:
    assert isinstance(message.body, ChargePayment | RefundPayment)
    return message.body
