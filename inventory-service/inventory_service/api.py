"""HTTP, for debugging: what became of an order's reservation."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response

from chassis.database import Pool
from chassis.http import model_response
from chassis.messages import Wire
from chassis.openapi import responses
from chassis.problems import Refused
from inventory_service import queries
from inventory_service.reservations import Status


class ReservationView(Wire):
    """A reservation as the API shows it."""

    order_id: UUID
    saga_id: UUID
    status: Status
    created_at: datetime
    reason: str | None


def routes(pool: Pool) -> APIRouter:
    """The inventory service's routes."""
    router = APIRouter()

    @router.get(
        "/reservations/{order_id}",
        response_model=ReservationView,
        responses=responses({404: "no such reservation", 422: "the id is not a UUID", 503: "try again"}),
    )
    async def get_reservation(order_id: UUID) -> Response:
        reservation = await queries.find_reservation(pool, order_id)
        if reservation is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no reservation of order {order_id}")
        return model_response(ReservationView.model_validate(reservation))

    return router
