"""A model that finds nothing proves nothing: here it meets bugs that others have shipped, and must find each."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from chassis.messages import Message
from payment_service.messages import PaymentRefunded
from tests.unit import world
from tests.unit.test_model import Histories

Decide = Callable[..., tuple[Any, list[Message]]]

SEARCH = settings(
    max_examples=3000, stateful_step_count=40, derandomize=True, database=None, phases=[Phase.generate], deadline=None
)


def no_tombstone(right: Decide) -> Decide:
    """A refund without a charge is answered and forgotten."""

    def decide(row: Any, message: Message, *rest: Any) -> tuple[Any, list[Message]]:
        if row is None and message.type == "RefundPayment":
            ids = message.body.model_dump(include={"saga_id", "order_id"})
            return None, [message.cause(PaymentRefunded(**ids))]
        return right(row, message, *rest)

    return decide


def no_memory_of(kind: str) -> Callable[[Decide], Decide]:
    """This command is carried out as if it were the first for its order."""

    def wrong(right: Decide) -> Decide:
        return lambda row, message, *rest: right(None if message.type == kind else row, message, *rest)

    return wrong


def no_undo(right: Decide) -> Decide:
    """A release is answered but not done."""

    def decide(row: Any, message: Message, *rest: Any) -> tuple[Any, list[Message]]:
        after, replies = right(row, message, *rest)
        return row or after if message.type == "ReleaseInventory" else after, replies

    return decide


@pytest.mark.parametrize(
    ("decider", "bug"),
    [
        ("pay", no_tombstone),
        ("pay", no_memory_of("ChargePayment")),
        ("reserve", no_memory_of("ReserveInventory")),
        ("reserve", no_undo),
        ("order", no_memory_of("CreateOrder")),
    ],
)
def test_the_model_finds_a_bug(decider: str, bug: Callable[[Decide], Decide], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, decider, bug(getattr(world, decider)))
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Histories, settings=SEARCH)
