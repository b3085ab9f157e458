"""HTTP, for debugging: what became of an order's payment."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from chassis.database import Pool
from chassis.messages import Money
from chassis.problems import Refused, responses
from payment_service import queries
from payment_service.payments import Status


class PaymentView(BaseModel):
    """A payment as the API shows it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)
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
        responses=responses(status_404="no such payment", status_422="the id is not a UUID", status_503="try again"),
    )
    async def get_payment(order_id: UUID) -> Response:
        payment = await queries.find_payment(pool, order_id)
        if payment is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no payment of order {order_id}")
        view = PaymentView.model_validate(payment)
        return Response(view.model_dump_json(by_alias=True), media_type="application/json")

    return router
