"""HTTP, for debugging: what became of an order's payment."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response

from chassis.database import Pool
from chassis.http import model_response
from chassis.messages import Money, Wire
from chassis.openapi import responses
from chassis.problems import Refused
from payment_service import queries
from payment_service.payments import Status


class PaymentView(Wire):
    """A payment as the API shows it."""

    order_id: UUID
    saga_id: UUID
    amount: Money | None
    status: Status
    created_at: datetime
    reason: str | None


def routes(pool: Pool) -> APIRouter:
    """The payment service's routes."""
    router = APIRouter()

    @router.get(
        "/payments/{order_id}",
        response_model=PaymentView,
        responses=responses({404: "no such payment", 422: "the id is not a UUID", 503: "try again"}),
    )
    async def get_payment(order_id: UUID) -> Response:
        payment = await queries.find_payment(pool, order_id)
        if payment is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no payment of order {order_id}")
        return model_response(PaymentView.model_validate(payment))

    return router
