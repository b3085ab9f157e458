"""HTTP for browsers: the latest sagas, and one saga with its log as a diagram. It only reads."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from chassis.database import Pool
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.problems import Refused, problem_of
from saga_orchestrator import overview, queries
from saga_orchestrator.api import existing
from saga_orchestrator.definitions import Definitions, NotInTheList
from saga_orchestrator.drawing import Awaited, awaited
from saga_orchestrator.instance import SagaInstance, UnreadableSaga
from saga_orchestrator.overview import Show
from saga_orchestrator.pages import page, saga_page
from saga_orchestrator.views import EventView


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


def routes(pool: Pool, definitions: Definitions) -> APIRouter:
    """The dashboard's routes."""
    router = APIRouter(route_class=Pages, include_in_schema=False)

    @router.get("/")
    async def latest(request: Request, show: Show = Show.ALL, before: UUID | None = None) -> Response:
        newer = await existing(pool, before) if before else None
        place = (newer.created_at, newer.saga_id) if newer else overview.NEWEST
        sagas, older = await overview.find_page(pool, show, place)
        rows = [(saga, waits(definitions, saga) if isinstance(saga, SagaInstance) else None) for saga in sagas]
        counts = await overview.count_sagas(pool)
        return page(
            "sagas.html", rows=rows, older=older, newer=newer, show=show, counts=counts, base_url=request.base_url
        )

    @router.get("/dashboard/sagas/{saga_id}")
    async def one(saga_id: UUID) -> Response:
        saga = await existing(pool, saga_id)
        events = [EventView(**entry) for entry in await queries.find_log(pool, saga_id)]
        if isinstance(saga, UnreadableSaga):
            return page("unreadable.html", saga=saga, events=events)
        return saga_page(definitions.today, saga, waits(definitions, saga), events)

    return router


def waits(definitions: Definitions, saga: SagaInstance) -> Awaited | None:
    """What it waits for; of one that another version has to go on with, where it stands."""
    try:
        return awaited(definitions.today, definitions.here(saga))
    except NotInTheList as error:
        return Awaited("a command of another version", str(error), str(saga.attempt), "another version goes on with it")
