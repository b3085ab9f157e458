"""HTTP in and out: the metadata headers of a Kafka record in a request, and answers as JSON."""

import secrets
from contextlib import suppress
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request, Response
from pydantic import BaseModel
from uuid_utils.compat import uuid7

from chassis.messages import trace_context


def message_id_of(request: Request) -> UUID:
    """Its `message-id` header, which makes a repeated request a known duplicate, or a new one."""
    with suppress(KeyError, ValueError):
        return UUID(request.headers["message-id"])
    return uuid7()


def traceparent_of(request: Request) -> str:
    """The caller's trace context, or the beginning of a new trace."""
    return trace_from(request.headers.get("traceparent"))


def trace_from(text: str | None) -> str:
    """This W3C trace context, or the beginning of a new trace."""
    return trace_context(text) or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer straight from orjson."""
    return Response(orjson.dumps(content, default=str), status, headers, "application/json")


def model_response(view: BaseModel, status: int = 200) -> Response:
    """A model, with its names as they are on the wire."""
    return Response(view.model_dump_json(by_alias=True), status, media_type="application/json")
