"""What the orchestrator puts into a request is what the order service reads out of it."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from asyncpg.pgproto import pgproto

import order_service.messages as order
from chassis.messages import Message
from order_service.batch import Enveloped
from order_service.orders import Command
from order_service.settings import Settings as OrderSettings
from saga_orchestrator.messages import CancelOrder, ConfirmOrder, CreateOrder
from saga_orchestrator.order_client import enveloped
from saga_orchestrator.settings import Settings

IDS: dict[str, Any] = {"saga_id": uuid4(), "order_id": uuid4()}
CONTENT: dict[str, Any] = {"user_id": "u1", "total_amount": Decimal("19.99")}
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
LONGEST = {"user_id": "😀" * 200, "total_amount": Decimal("9999999999.99")}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (CreateOrder(**IDS, **CONTENT), order.CreateOrder(**IDS, **CONTENT)),
        (ConfirmOrder(**IDS), order.SetOrderStatus(**IDS, status="CONFIRMED")),
        (CancelOrder(**IDS, **CONTENT), order.SetOrderStatus(**IDS, **CONTENT, status="CANCELLED")),
    ],
    ids=lambda body: type(body).__name__,
)
@pytest.mark.parametrize("traceparent", [TRACE, None])
@pytest.mark.parametrize("uuid", [UUID, pgproto.UUID], ids=["from memory", "from the outbox"])
def test_a_command_arrives_as_it_was_sent(
    sent: CreateOrder | ConfirmOrder, read: Command, traceparent: str | None, uuid: type[UUID]
) -> None:
    message = Message(sent, uuid(str(uuid4())), traceparent=traceparent)
    arrived = Enveloped.model_validate(orjson.loads(enveloped(message)))

    assert (arrived.command(), arrived.message_id, arrived.traceparent) == (read, message.id, traceparent)


def test_the_longest_request_is_not_too_long_for_the_order_service() -> None:
    longest = Message(CancelOrder(**IDS, **LONGEST), uuid4(), traceparent=TRACE)
    commands = [enveloped(longest)] * Settings().order_call_max_commands

    assert len(b"[%b]" % b",".join(commands)) <= OrderSettings().max_body_bytes
