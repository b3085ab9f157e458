"""HTTP: create, read, confirm and cancel orders."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from chassis.batcher import Batcher
from chassis.bodies import parse
from chassis.database import Pool
from chassis.http import message_id_of, model_response, traceparent_of
from chassis.messages import Message, Money, Wire
from chassis.openapi import BODY_PROBLEMS, request_body, responses
from chassis.problems import Refused
from order_service import queries
from order_service.handlers import command_of
from order_service.messages import CreateOrder, OrderConflict, OrderStored, OrderUnknown, SetOrderStatus, UserId
from order_service.orders import Order, Status


class NewOrder(Wire):
    """Body of POST /orders. With an order id, or a `message-id` header, of its own the caller may ask again safely."""

    order_id: UUID | None = None
    saga_id: UUID | None = None
    user_id: UserId
    total_amount: Money


class NewStatus(Wire):
    """Body of PATCH /orders/{id}/status. A cancel that carries the content may come before the create."""

    status: Literal["CONFIRMED", "CANCELLED"]
    saga_id: UUID | None = None
    user_id: UserId | None = None
    total_amount: Money | None = None


class OrderView(Wire):
    """An order as the API shows it."""

    order_id: UUID
    user_id: str
    total_amount: Money
    status: Status
    created_at: datetime


FOUND: dict[int | str, dict[str, Any]] = {200: {"model": OrderView, "description": "the order was there already"}}


def routes(batcher: Batcher[Order], pool: Pool) -> APIRouter:
    """The routes for one order."""
    router = APIRouter()

    @router.post(
        "/orders",
        status_code=201,
        response_model=OrderView,
        openapi_extra=request_body(NewOrder),
        responses=FOUND | responses(BODY_PROBLEMS | {409: "this id has an order with other content"}),
    )
    async def create_order(request: Request) -> Response:
        wanted = await parse(request, NewOrder)
        message_id = message_id_of(request)
        order_id = wanted.order_id or message_id
        command = CreateOrder(
            saga_id=wanted.saga_id or order_id,
            order_id=order_id,
            user_id=wanted.user_id,
            total_amount=wanted.total_amount,
        )
        message = Message(command, message_id, traceparent=traceparent_of(request))
        return await answer(batcher, message)

    @router.patch(
        "/orders/{order_id}/status",
        response_model=OrderView,
        openapi_extra=request_body(NewStatus),
        responses=responses(BODY_PROBLEMS | {404: "no such order", 409: "the order's status is final"}),
    )
    async def set_status(order_id: UUID, request: Request) -> Response:
        wanted = await parse(request, NewStatus)
        command = SetOrderStatus(
            saga_id=wanted.saga_id or order_id,
            order_id=order_id,
            status=wanted.status,
            user_id=wanted.user_id,
            total_amount=wanted.total_amount,
        )
        message = Message(command, message_id_of(request), traceparent=traceparent_of(request))
        return await answer(batcher, message)

    @router.get(
        "/orders/{order_id}",
        response_model=OrderView,
        responses=responses({404: "no such order", 422: "the id is not a UUID", 503: "try again"}),
    )
    async def get_order(order_id: UUID) -> Response:
        order = await queries.find_order(pool, order_id)
        if order is None:
            raise unknown(order_id)
        return show(order)

    return router


async def answer(batcher: Batcher[Order], message: Message) -> Response:
    """Hand over a command; what became of it, as an answer."""
    command = command_of(message)
    handled = await batcher.submit(message)
    reply, order = handled.outgoing[0].body, handled.row
    match reply:
        case OrderStored(created=created) if order is not None:
            return show(order, 201 if created else 200)
        case OrderUnknown():
            raise unknown(command.order_id)
        case OrderConflict(reason=reason):
            raise Refused(HTTPStatus.CONFLICT, reason)
        case other:
            raise AssertionError(other)


def show(order: Order, status: int = 200) -> Response:
    """The order as JSON."""
    return model_response(OrderView.model_validate(order), status)


def unknown(order_id: UUID) -> Refused:
    """The 404."""
    return Refused(HTTPStatus.NOT_FOUND, f"there is no order {order_id}")
