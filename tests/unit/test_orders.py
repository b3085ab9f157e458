"""Every command on every order: what becomes of it, and what is answered."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from order_service.messages import CreateOrder, OrderStored, SetOrderStatus
from order_service.orders import Command, Order, Status, decide

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ORDER, SAGA = UUID(int=1), UUID(int=2)
IDS = {"order_id": ORDER, "saga_id": SAGA}
CONTENT = {"user_id": "alice", "total_amount": Decimal(500)}
CREATE = CreateOrder(**IDS, **CONTENT)
CONFIRM = SetOrderStatus(**IDS, status="CONFIRMED")
CANCEL = SetOrderStatus(**IDS, status="CANCELLED")
CANCEL_WITH_CONTENT = SetOrderStatus(**IDS, **CONTENT, status="CANCELLED")
CONFIRM_WITH_CONTENT = SetOrderStatus(**IDS, **CONTENT, status="CONFIRMED")

PENDING = Order(ORDER, "alice", Decimal(500), Status.PENDING, NOW)
CONFIRMED = replace(PENDING, status=Status.CONFIRMED)
CANCELLED = replace(PENDING, status=Status.CANCELLED)


@pytest.mark.parametrize(
    ("order", "command", "after", "answer"),
    [
        (None, CREATE, PENDING, "OrderStored"),
        (PENDING, CREATE, PENDING, "OrderStored"),
        (CONFIRMED, CREATE, CONFIRMED, "OrderStored"),
        (CANCELLED, CREATE, CANCELLED, "OrderStored"),
        (None, CONFIRM, None, "OrderUnknown"),
        (None, CONFIRM_WITH_CONTENT, None, "OrderUnknown"),
        (PENDING, CONFIRM, CONFIRMED, "OrderStored"),
        (CONFIRMED, CONFIRM, CONFIRMED, "OrderStored"),
        (CANCELLED, CONFIRM, CANCELLED, "OrderConflict"),
        (None, CANCEL, None, "OrderUnknown"),
        (None, CANCEL_WITH_CONTENT, CANCELLED, "OrderStored"),
        (PENDING, CANCEL, CANCELLED, "OrderStored"),
        (CONFIRMED, CANCEL, CONFIRMED, "OrderConflict"),
        (CANCELLED, CANCEL, CANCELLED, "OrderStored"),
    ],
)
def test_a_command_does_this_to_an_order_and_doing_it_again_does_nothing(
    order: Order | None, command: Command, after: Order | None, answer: str
) -> None:
    found, reply = decide(order, command, NOW)
    assert (found, type(reply).__name__) == (after, answer)
    again, second = decide(found, command, NOW)
    assert (again, type(second)) == (found, type(reply))


@pytest.mark.parametrize("order", [PENDING, CONFIRMED, CANCELLED])
@pytest.mark.parametrize("other", [{"user_id": "bob"}, {"total_amount": Decimal("500.01")}])
def test_a_create_with_other_content_is_refused_and_changes_nothing(order: Order, other: dict[str, object]) -> None:
    after, answer = decide(order, CREATE.model_copy(update=other), NOW)
    assert (after, type(answer).__name__) == (order, "OrderConflict")


def test_an_answer_says_whether_the_order_is_new() -> None:
    answers = [decide(order, CREATE, NOW)[1] for order in (None, PENDING)]
    assert [isinstance(answer, OrderStored) and answer.created for answer in answers] == [True, False]
