"""An HTTP request as a message, with the same metadata headers as a Kafka record."""

import secrets
from contextlib import suppress
from uuid import UUID

from fastapi import Request
from uuid_utils.compat import uuid7

from chassis.messages import Command, Message, trace_context


def message_from(request: Request, command: Command) -> Message:
    """The request as a message; a `message-id` header makes a repeated request a known duplicate."""
    message_id = uuid7()
    with suppress(KeyError, ValueError):
        message_id = UUID(request.headers["message-id"])
    return Message(command, message_id, traceparent=traceparent_of(request))


def traceparent_of(request: Request) -> str:
    """The caller's trace context, or the beginning of a new trace."""
    return trace_from(request.headers.get("traceparent"))


def trace_from(text: str | None) -> str:
    """This W3C trace context, or the beginning of a new trace."""
    return trace_context(text) or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
