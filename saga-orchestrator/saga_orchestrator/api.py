"""HTTP: begin a checkout and wait for its end, or look at a saga."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import Annotated, Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Query, Request, Response
from pydantic import StrictBool
from uuid_utils.compat import uuid7

from chassis.batcher import Batcher
from chassis.bodies import parse
from chassis.crash import crash_point
from chassis.database import Pool
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.http import json_response, model_response, traceparent_of
from chassis.messages import Message, Money, Wire
from chassis.openapi import BODY_PROBLEMS, request_body, responses
from chassis.problems import Refused
from saga_orchestrator import queries
from saga_orchestrator.handlers import Checkout
from saga_orchestrator.home import new_saga_id
from saga_orchestrator.instance import SagaInstance, Status, UnreadableSaga
from saga_orchestrator.messages import StartCheckout, UserId, checkout_of
from saga_orchestrator.settings import Settings
from saga_orchestrator.views import CheckoutView, SagaView, UnreadableView, standing, view
from saga_orchestrator.waiters import Waiters

IDEMPOTENCY_NAMESPACE = UUID("0192f0c1-5c1e-7e6a-9d1b-6a5d8f3f2b11")
"""The same Idempotency-Key gives the same saga id, on every replica, before anything is stored."""
LONGEST_KEY = 255
LEGAL_KEY = re.compile(rf"[ -~]{{1,{LONGEST_KEY}}}")
BEFORE = f"of its log, at most {queries.MOST_ENTRIES} entries: the last ones, or those before this `seq`"
Before = Annotated[int, Query(ge=1, le=queries.AFTER_ALL, description=BEFORE)]


class CheckoutRequest(Wire):
    """Body of POST /checkout. The force flags: true fails always, false succeeds always, absent is random."""

    user_id: UserId
    total_amount: Money
    force_payment_fail: StrictBool | None = None
    force_inventory_fail: StrictBool | None = None


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": CheckoutView, "description": "COMPLETED"},
    202: {"model": CheckoutView, "description": "still RUNNING; look at Location"},
    402: {"model": CheckoutView, "description": "the payment was refused; everything is undone"},
    409: {"model": CheckoutView, "description": "FAILED for another reason, as step says; everything is undone"},
    **responses(BODY_PROBLEMS | {422: "some values are wrong, or the Idempotency-Key was used with another body"}),
}


def routes(
    batcher: Batcher[Checkout],
    waiters: Waiters,
    pool: Pool,
    settings: Settings,
    admit: Callable[[], None],
    comes_here: Callable[[UUID], bool],
) -> APIRouter:
    """The orchestrator's routes; `admit` raises while nothing new can be accepted.

    `comes_here` says whether the replies to a saga with this id come to this process.
    """
    router = APIRouter()

    @router.post("/checkout", responses=ANSWERS, openapi_extra=request_body(CheckoutRequest) | header_parameters())
    async def checkout(request: Request) -> Response:
        until = monotonic() + settings.checkout_wait_seconds
        start = start_of(await parse(request, CheckoutRequest), request, comes_here)
        admit()
        with waiters.waiting(start.saga_id) as ended:
            handled = await batcher.submit(Message.new(start, traceparent_of(request)))
            assert handled.row is not None
            saga = handled.row.saga
            crash_point("checkout.accepted")
            if checkout_of(saga).fingerprint != start.fingerprint:
                raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "this Idempotency-Key was used with another body")
            if saga.status is Status.RUNNING and not prefers_async(request):
                await asyncio.wait([ended], timeout=max(0, until - monotonic()))
                saga = ended.result() if ended.done() else await latest(pool, saga)
        return answer(saga)

    @router.get(
        "/sagas/{saga_id}",
        response_model=SagaView | UnreadableView,
        responses=responses({404: "no such saga", 422: "the id is not a UUID, or before no number", 503: "try again"}),
    )
    async def get_saga(saga_id: UUID, before: Before = queries.AFTER_ALL) -> Response:
        saga = await existing(pool, saga_id)
        return model_response(view(saga, await queries.find_log(pool, saga_id, before)))

    return router


def start_of(wanted: CheckoutRequest, request: Request, comes_here: Callable[[UUID], bool]) -> StartCheckout:
    """The request with its ids. An Idempotency-Key decides the saga id, so that a repeat finds its saga."""
    keys = request.headers.getlist("idempotency-key")
    key = keys[0] if keys else None
    if len(set(keys)) > 1 or (key is not None and not LEGAL_KEY.fullmatch(key)):
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"Idempotency-Key must be one header of 1 to {LONGEST_KEY} printable ASCII characters",
        )
    return StartCheckout(
        saga_id=new_saga_id(comes_here) if key is None else uuid5(IDEMPOTENCY_NAMESPACE, key),
        order_id=uuid7(),
        user_id=wanted.user_id,
        total_amount=wanted.total_amount,
        force_payment_fail=wanted.force_payment_fail,
        force_inventory_fail=wanted.force_inventory_fail,
        idempotency_key=key,
    )


def prefers_async(request: Request) -> bool:
    """Whether `respond-async` is among the preferences (RFC 7240)."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(each.partition(";")[0].strip().lower() == "respond-async" for each in preferences)


async def existing(pool: Pool, saga_id: UUID) -> SagaInstance | UnreadableSaga:
    """The saga with this id; `Refused` with 404 if there is none."""
    found = await queries.find_sagas(pool, [saga_id])
    if not found:
        raise Refused(HTTPStatus.NOT_FOUND, f"there is no saga {saga_id}")
    return found[0]


async def latest(pool: Pool, saga: SagaInstance) -> SagaInstance:
    """The saga as it is stored now; as it was, if the database cannot say."""
    with suppress(*INFRASTRUCTURE_ERRORS):
        (stored,) = await queries.find_sagas(pool, [saga.saga_id])
        if isinstance(stored, SagaInstance):
            return stored
    return saga


def answer(saga: SagaInstance) -> Response:
    """The saga as the answer to its customer: what became of the checkout decides the status code."""
    content = standing(saga)
    match saga.status:
        case Status.COMPLETED:
            return json_response(content, 200)
        case Status.RUNNING:
            return json_response(content, 202, {"Location": f"/sagas/{saga.saga_id}"})
        case Status.FAILED:
            return json_response(content, 402 if saga.step == "PAYMENT_FAILED" else 409)


def header_parameters() -> dict[str, Any]:
    """What OpenAPI shows of the two headers."""
    texts = {
        "Idempotency-Key": "repeat a request safely: the same key and body give the same saga",
        "Prefer": "respond-async: answer 202 at once",
    }
    return {
        "parameters": [
            {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
            for name, text in texts.items()
        ]
    }
