"""Errors as application/problem+json (RFC 9457)."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from chassis.errors import ChassisError, Overloaded, Unavailable, Unreadable
from chassis.faults import INFRASTRUCTURE_ERRORS, Fault, fault_of, reason_of

log = structlog.get_logger()

RETRY_AFTER_SECONDS = "1"
WRONG_VALUES = "some values are wrong, see errors"


class Problem(BaseModel):
    """The body of every error answer."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


class Refused(ChassisError):
    """Ends a request with a problem; `errors` names the fields that are wrong."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def problem_response(
    status: int, detail: str, errors: list[dict[str, str]] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An error answer."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    return Response(problem.model_dump_json(exclude_none=True), status, headers, "application/problem+json")


def wrong_values(error: ValidationError) -> Refused:
    """The 422 that names the fields."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, WRONG_VALUES, _fields(error))


def install(app: FastAPI) -> None:
    """Answer every error of this application with a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        return problem_of(request, error)

    expected = (Refused, RequestValidationError, HTTPException, Overloaded, Unavailable, Unreadable, ClientDisconnect)
    for kind in (*expected, *INFRASTRUCTURE_ERRORS, Exception):
        app.add_exception_handler(kind, answer)


def problem_of(request: Request, error: Exception) -> Response:
    """The answer to a request that ended so."""
    match error:
        case Refused():
            return problem_response(error.status, error.detail, error.errors, error.headers)
        case RequestValidationError():
            return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, WRONG_VALUES, _fields(error))
        case HTTPException():
            return _problem_of_router(request, error)
        case Overloaded() | Unavailable():
            detail = f"{error}; try again, with the same id or key"
            later = {"Retry-After": RETRY_AFTER_SECONDS}
            return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=later)
        case ClientDisconnect():
            return problem_response(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
    if isinstance(error, Unreadable):
        log.error("a request was about a row that cannot be read", path=request.url.path, error=str(error))
        return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
    if isinstance(error, INFRASTRUCTURE_ERRORS) and fault_of(error) is not Fault.OWN:
        log.warning("a request found the database away", path=request.url.path, error=reason_of(error))
        return problem_of(request, Unavailable("the database is away"))
    log.error("a request failed unexpectedly", path=request.url.path, exc_info=error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected error; the service's log says more")


def _problem_of_router(request: Request, error: HTTPException) -> Response:
    """No such path, or another method: then OPTIONS is answered with those that there are."""
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = headers["Allow"].replace("GET", "GET, HEAD") + ", OPTIONS"
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    return problem_response(error.status_code, str(error.detail), headers=headers)


def _fields(error: ValidationError | RequestValidationError) -> list[dict[str, str]]:
    return [{"field": ".".join(map(str, e["loc"])) or "body", "message": e["msg"]} for e in error.errors()]
