"""HTTP for people: the latest sagas, and one saga with its log as a diagram. It only reads."""

import base64
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from chassis.database import INFRASTRUCTURE_ERRORS, Pool
from chassis.problems import Refused, problem_of
from saga_orchestrator import queries
from saga_orchestrator.definition import Saga
from saga_orchestrator.drawing import age, awaited, draw, in_words
from saga_orchestrator.instance import SagaInstance
from saga_orchestrator.messages import checkout_of
from saga_orchestrator.queries import Show
from saga_orchestrator.views import EventView

TEMPLATES = files("saga_orchestrator") / "templates"
STYLE = (TEMPLATES / "style.css").read_text()
SCRIPT = (TEMPLATES / "refresh.js").read_text()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

environment = Environment(
    loader=PackageLoader("saga_orchestrator"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals |= {
    "style": Markup(STYLE),
    "script": Markup(SCRIPT),
    "page_size": queries.PAGE,
    "looked_through": queries.LOOKED_THROUGH,
}
environment.filters |= {"age": age, "checkout": checkout_of, "json": lambda value: orjson.dumps(value).decode()}


def page(template: str, status: int = HTTPStatus.OK, **content: Any) -> Response:
    """A template as an answer that nothing may be slipped into."""
    now = datetime.now(UTC)
    return HTMLResponse(environment.get_template(template).render(now=now, **content), status, HEADERS)


def saga_page(definition: Saga, saga: SagaInstance, events: Sequence[EventView]) -> Response:
    """One saga with its log, in words, as a diagram and as a table."""
    return page(
        "saga.html",
        saga=saga,
        events=events,
        words=in_words(definition, saga),
        awaited=awaited(definition, saga),
        since=next((event.at for event in events if event.message_id == saga.awaiting), None),
        drawing=draw(definition, saga, events),
    )


class Pages(APIRoute):
    """A route whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, around which errors become pages."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except (Refused, RequestValidationError, *INFRASTRUCTURE_ERRORS) as error:
                answer = problem_of(request, error)
                return page("problem.html", answer.status_code, problem=orjson.loads(answer.body))

        return handle


def routes(pool: Pool, definition: Saga) -> APIRouter:
    """The dashboard's routes."""
    router = APIRouter(route_class=Pages, include_in_schema=False)

    async def find(saga_id: UUID) -> SagaInstance:
        found = await queries.find_sagas(pool, [saga_id])
        if not found:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no saga {saga_id}")
        return found[0]

    @router.get("/")
    async def latest(request: Request, show: Show = Show.ALL, before: UUID | None = None) -> Response:
        newer = await find(before) if before else None
        place = (newer.created_at, newer.saga_id) if newer else queries.NEWEST
        sagas, older = await queries.find_page(pool, show, place)
        rows = [(saga, awaited(definition, saga)) for saga in sagas]
        counts = await queries.count_sagas(pool)
        return page(
            "sagas.html", rows=rows, older=older, newer=newer, show=show, counts=counts, base_url=request.base_url
        )

    @router.get("/dashboard/sagas/{saga_id}")
    async def one(saga_id: UUID) -> Response:
        saga = await find(saga_id)
        log = await queries.find_log(pool, saga_id)
        events = [EventView(**{**entry, "body": orjson.loads(entry["body"])}) for entry in log]
        return saga_page(definition, saga, events)

    return router
