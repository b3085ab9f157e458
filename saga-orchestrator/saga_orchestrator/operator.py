"""HTTP for operators: retry now, cancel, or resolve a saga by hand. Each is a message in the saga's log."""

import hmac
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from chassis.batcher import Batcher
from chassis.bodies import parse
from chassis.http import json_response, traceparent_of
from chassis.messages import Message
from chassis.openapi import BODY_PROBLEMS, request_body, responses
from chassis.problems import Refused
from saga_orchestrator.handlers import Checkout
from saga_orchestrator.instance import Cancel, Resolve, Retry, Status
from saga_orchestrator.saga import IllegalTransition, UnknownSaga
from saga_orchestrator.settings import Settings
from saga_orchestrator.views import CheckoutView, standing

log = structlog.get_logger()

Action = Cancel | Retry | Resolve
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": CheckoutView, "description": "done, and the saga has ended"},
    202: {"model": CheckoutView, "description": "done, and the saga goes on"},
    **responses(
        BODY_PROBLEMS
        | {
            401: "the bearer token is wrong or missing",
            403: "no OPERATOR_TOKEN is set, so nobody may do this",
            404: "no such saga",
            409: "the saga is not in a state in which this may happen; nothing changed",
        }
    ),
}


class Why(BaseModel):
    """Body of every operator action."""

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


def routes(batcher: Batcher[Checkout], settings: Settings) -> APIRouter:
    """The operator's routes, behind a bearer token."""

    def authorize(request: Request) -> None:
        if not settings.operator_token:
            raise Refused(HTTPStatus.FORBIDDEN, "operator actions are off: start the orchestrator with OPERATOR_TOKEN")
        wanted = f"Bearer {settings.operator_token}".encode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode("latin-1"), wanted):
            detail = "send Authorization: Bearer and the operator token"
            raise Refused(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})

    router = APIRouter(dependencies=[Depends(authorize)], tags=["operator"])

    def add(name: str, action: type[Action], summary: str) -> None:
        @router.post(
            f"/sagas/{{saga_id}}/{name}",
            name=name,
            summary=summary,
            responses=ANSWERS,
            openapi_extra=request_body(Why),
        )
        async def act(saga_id: UUID, request: Request) -> Response:
            why = await parse(request, Why)
            try:
                handled = await batcher.submit(
                    Message.new(action(saga_id=saga_id, reason=why.reason), traceparent_of(request))
                )
            except UnknownSaga as error:
                raise Refused(HTTPStatus.NOT_FOUND, str(error)) from None
            except IllegalTransition as error:
                raise Refused(HTTPStatus.CONFLICT, str(error)) from None
            log.warning("operator action", action=name, saga_id=str(saga_id), reason=why.reason)
            assert handled.row is not None
            saga = handled.row.saga
            return json_response(standing(saga), 202 if saga.status is Status.RUNNING else 200)

    add("retry", Retry, "Send the awaited command now instead of later")
    add("cancel", Cancel, "Undo the saga; possible up to its pivot")
    add("resolve", Resolve, "End a saga that needs attention, settled by hand")
    return router
