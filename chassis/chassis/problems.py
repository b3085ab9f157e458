"""Errors as application/problem+json (RFC 9457), and request bodies that fail with one that says what to do."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from chassis.database import INFRASTRUCTURE_ERRORS, is_away
from chassis.errors import ChassisError, Overloaded, Unavailable

log = structlog.get_logger()

RETRY_AFTER_SECONDS = "1"
WRONG_VALUES = "some values are wrong, see errors"
Parsed = TypeVar("Parsed", bound=BaseModel)


class Problem(BaseModel):
    """The body of every error answer."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


class Refused(ChassisError):
    """Ends a request with a problem; `errors` names the fields that are wrong."""

    def __init__(self, status: HTTPStatus, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        self.status = status
        self.detail = detail
        self.errors = errors


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer straight from orjson."""
    return Response(orjson.dumps(content, default=str), status, headers, "application/json")


def problem_response(
    status: int, detail: str, errors: list[dict[str, str]] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An error answer."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    return Response(problem.model_dump_json(exclude_none=True), status, headers, "application/problem+json")


async def parse(request: Request, model: type[Parsed]) -> Parsed:
    """The request's body as a model; 415 for another content type, 413 too long, 400 broken JSON, 422 wrong values."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body with Content-Type: application/json")
    try:
        return model.model_validate_json(await _body(request))
    except ValidationError as error:
        if any(e["type"] == "json_invalid" for e in error.errors()):
            raise Refused(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error.errors()[0]['msg']}") from None
        raise wrong_values(error) from None


def wrong_values(error: ValidationError) -> Refused:
    """The 422 that names the fields."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, WRONG_VALUES, _fields(error))


async def _body(request: Request) -> bytes:
    """The whole body, unless it is longer than the setting `MAX_BODY_BYTES` allows."""
    most: int = request.app.state.max_body_bytes
    announced = request.headers.get("content-length", "0")
    body = bytearray()
    if announced.isdigit() and int(announced) <= most:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                break
        else:
            return bytes(body)
    raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have at most {most} bytes")


def request_body(model: type[BaseModel], *, many: bool = False) -> dict[str, Any]:
    """What OpenAPI shows of a body that `parse` reads; `many`: a list of these."""
    one = model.model_json_schema()
    schema = {"type": "array", "items": one} if many else one
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


BODY_PROBLEMS = {
    "status_400": "the body is not JSON",
    "status_413": "the body is too large",
    "status_415": "the body is not application/json",
    "status_422": "some values are wrong",
    "status_503": "the queue is full, or the database is away and may have accepted it: repeat with the same id or key",
}
"""For `responses`: what a route answers that reads a body and submits it."""


def responses(**problems: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI shows of error answers: `responses(status_404="no such order")`."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {
        int(name.removeprefix("status_")): {"description": text, "content": content} for name, text in problems.items()
    }


def install(app: FastAPI) -> None:
    """Answer every error of this application with a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        return problem_of(request, error)

    expected = (Refused, RequestValidationError, HTTPException, Overloaded, Unavailable, ClientDisconnect)
    for kind in (*expected, *INFRASTRUCTURE_ERRORS, Exception):
        app.add_exception_handler(kind, answer)


async def or_problem(request: Request, answer: Awaitable[Response]) -> Response:
    """This answer, or the problem that it raises."""
    try:
        return await answer
    except Exception as error:
        return problem_of(request, error)


def problem_of(request: Request, error: Exception) -> Response:
    """The answer to a request that ended so."""
    match error:
        case Refused():
            return problem_response(error.status, error.detail, error.errors)
        case RequestValidationError():
            return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, WRONG_VALUES, _fields(error))
        case HTTPException():
            return problem_response(error.status_code, str(error.detail), headers=dict(error.headers or {}))
        case Overloaded() | Unavailable():
            detail = f"{error}; try again, best with the same Idempotency-Key"
            later = {"Retry-After": RETRY_AFTER_SECONDS}
            return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=later)
        case ClientDisconnect():
            return problem_response(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
    if is_away(error):
        log.warning("a request found the database away", path=request.url.path, error=repr(error))
        return problem_of(request, Unavailable("the database is away"))
    log.error("a request failed unexpectedly", path=request.url.path, exc_info=error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected error; the service's log says more")


def _fields(error: ValidationError | RequestValidationError) -> list[dict[str, str]]:
    return [{"field": ".".join(map(str, e["loc"])) or "body", "message": e["msg"]} for e in error.errors()]
