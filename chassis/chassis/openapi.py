"""What `/docs` says of the routes that read their bodies themselves, and of the errors of all of them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from chassis.problems import Problem


def request_body(model: type[BaseModel], *, many: bool = False) -> dict[str, Any]:
    """What OpenAPI shows of a body that `parse` reads; `many`: a list of these."""
    one = model.model_json_schema()
    schema = {"type": "array", "items": one} if many else one
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


BODY_PROBLEMS = {
    400: "the body is not JSON, or has a key twice in one object",
    413: "the body is too large",
    415: "the body is not application/json, or has a Content-Encoding",
    422: "some values are wrong",
    503: "the queue is full, or the database is away and may have accepted it: repeat with the same id or key",
}
"""For `responses`: what a route answers that reads a body and submits it."""


def responses(problems: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI shows of error answers, by status code: `responses({404: "no such order"})`."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": text, "content": content} for status, text in problems.items()}
