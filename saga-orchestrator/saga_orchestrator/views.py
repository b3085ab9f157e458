"""How a saga looks from outside: as the answer to its customer, and with its log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.messages import Wire
from saga_orchestrator.instance import SagaInstance, Status, UnreadableSaga
from saga_orchestrator.messages import checkout_of


class CheckoutView(Wire):
    """How a checkout stands."""

    saga_id: UUID
    order_id: UUID
    status: Status
    step: str
    reason: str | None


class EventView(Wire):
    """An entry of a saga's log."""

    seq: int
    kind: str
    type: str
    at: datetime
    message_id: UUID
    causation_id: UUID | None
    body: Any


class SagaView(CheckoutView):
    """A saga with its log."""

    created_at: datetime
    attempt: int
    deadline: datetime | None
    needs_attention: str | None
    events: list[EventView]


class UnreadableView(Wire):
    """A saga that this version cannot read."""

    saga_id: UUID
    status: str
    step: str
    created_at: datetime
    cannot_be_read: str
    events: list[EventView]


def standing(saga: SagaInstance) -> dict[str, Any]:
    """How a checkout stands, as JSON."""
    return {
        "sagaId": saga.saga_id,
        "orderId": checkout_of(saga).order_id,
        "status": saga.status,
        "step": saga.step,
        "reason": saga.reason,
    }


def view(saga: SagaInstance | UnreadableSaga, log: list[dict[str, Any]]) -> SagaView | UnreadableView:
    """The saga as GET /sagas/{id} shows it."""
    events = [EventView(**entry) for entry in log]
    if isinstance(saga, UnreadableSaga):
        return UnreadableView(
            saga_id=saga.saga_id,
            status=saga.status,
            step=saga.step,
            created_at=saga.created_at,
            cannot_be_read=saga.why,
            events=events,
        )
    return SagaView(
        **standing(saga),
        created_at=saga.created_at,
        attempt=saga.attempt,
        deadline=saga.deadline,
        needs_attention=saga.needs_attention,
        events=events,
    )
