"""What the orchestrator puts into a request is what the order service reads out of it, and what its answer means."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from asyncpg.pgproto import pgproto

import order_service.messages as order
from chassis.errors import Undeliverable
from chassis.messages import Message
from order_service.batch import Enveloped
from order_service.orders import Command
from order_service.settings import Settings as OrderSettings
from saga_orchestrator.definition import SagaCommand
from saga_orchestrator.messages import (
    CancelOrder,
    ConfirmOrder,
    CreateOrder,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderRejected,
)
from saga_orchestrator.order_client import Answer, enveloped, reply_to
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


CREATE, CONFIRM, CANCEL = CreateOrder(**IDS, **CONTENT), ConfirmOrder(**IDS), CancelOrder(**IDS, **CONTENT)


@pytest.mark.parametrize(
    ("command", "status", "body", "reply"),
    [
        (CREATE, 201, {"status": "PENDING"}, OrderCreated),
        (CREATE, 200, {"status": "CONFIRMED"}, OrderCreated),
        (CREATE, 200, {"status": "CANCELLED"}, OrderRejected),
        (CREATE, 409, {"detail": "another content"}, OrderRejected),
        (CREATE, 422, {}, OrderRejected),
        (CONFIRM, 200, {}, OrderConfirmed),
        (CANCEL, 200, {}, OrderCancelled),
    ],
)
def test_an_answer_of_the_order_service_is_this_reply(
    command: SagaCommand, status: int, body: dict[str, Any], reply: type
) -> None:
    assert type(reply_to(Message.new(command), Answer(status=status, body=body))) is reply


@pytest.mark.parametrize(
    ("command", "status"),
    [(CREATE, 503), (CREATE, 404), (CREATE, 302), (CONFIRM, 404), (CONFIRM, 409), (CANCEL, 409), (CANCEL, 500)],
)
def test_any_other_answer_leaves_the_outcome_unknown(command: SagaCommand, status: int) -> None:
    with pytest.raises(Undeliverable, match=str(status)):
        reply_to(Message.new(command), Answer(status=status, body={}))
