"""HTTP, for debugging: what became of an order's reservation."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from chassis.database import Pool
from chassis.problems import Refused, responses
from inventory_service import queries
from inventory_service.reservations import Status


class ReservationView(BaseModel):
    """A reservation as the API shows it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)
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
        responses=responses(
            status_404="no such reservation", status_422="the id is not a UUID", status_503="try again"
        ),
    )
    async def get_reservation(order_id: UUID) -> Response:
        reservation = await queries.find_reservation(pool, order_id)
        if reservation is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no reservation of order {order_id}")
        view = ReservationView.model_validate(reservation)
        return Response(view.model_dump_json(by_alias=True), media_type="application/json")

    return router
