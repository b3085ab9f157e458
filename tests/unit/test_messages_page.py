"""docs/messages.md says of messages and statuses what the code says."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

import inventory_service.messages as inventory
import payment_service.messages as payment
from chassis.messages import Body
from inventory_service import reservations
from order_service import orders
from payment_service import payments
from saga_orchestrator import instance

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text()
ORCHESTRATOR = "orchestrator"
WRITTEN = [
    *((body, ORCHESTRATOR, name) for name, of in (("payment", payment), ("inventory", inventory)) for body in of.READS),
    *((body, name, ORCHESTRATOR) for name, of in (("payment", payment), ("inventory", inventory)) for body in of.SENDS),
]
STATUSES: dict[str, type[StrEnum]] = {
    "orders.status": orders.Status,
    "payments.status": payments.Status,
    "reservations.status": reservations.Status,
    "sagas.status": instance.Status,
    "saga_events.kind": instance.Kind,
}


def fields(body: type[Body]) -> str:
    """As the page lists them: the alias, and a question mark for what may be absent."""
    found = body.model_fields.items()
    return ", ".join(f"`{f.alias}`" if f.is_required() else f"`{f.alias}`?" for _, f in found)


@pytest.mark.parametrize(("body", "sender", "receiver"), WRITTEN)
def test_each_message_on_kafka_is_told_as_it_is(body: type[Body], sender: str, receiver: str) -> None:
    assert f"| `{body.destination}` | {sender} | {receiver} | {fields(body)} |" in PAGE.splitlines()


def test_no_topic_is_told_that_is_not_there() -> None:
    told = re.findall(r"(?m)^\| `([a-z]+\.[a-z.]+)` \| (?:orchestrator|payment|inventory) \|", PAGE)
    assert sorted(told) == sorted(body.destination for body, _, _ in WRITTEN)


@pytest.mark.parametrize(("column", "status"), STATUSES.items(), ids=STATUSES)
def test_each_status_is_told(column: str, status: type[StrEnum]) -> None:
    assert f"| `{column}` | {', '.join(f'`{value}`' for value in status)} |" in PAGE.splitlines()
