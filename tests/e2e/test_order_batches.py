"""Many commands in one request: each gets the answer that it would get alone."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

Envelope = dict[str, Any]


@pytest.fixture
def create(user: str) -> Envelope:
    return command("CreateOrder", sagaId=str(uuid4()), orderId=str(uuid4()), userId=user, totalAmount=19.99)


def command(type_: str, **body: Any) -> Envelope:
    return {"messageId": str(uuid4()), "type": type_, "body": body}


def after(create: Envelope, status: str) -> Envelope:
    return command("SetOrderStatus", **create["body"], status=status)


async def ask(orders: httpx.AsyncClient, *commands: Any) -> list[tuple[int, Any]]:
    answer = await orders.post("/orders/batch", json=list(commands))
    assert answer.status_code == 207, answer.text
    return [(one["status"], one["body"]) for one in answer.json()]


async def test_commands_are_obeyed_in_their_order(orders: httpx.AsyncClient, create: Envelope) -> None:
    answers = await ask(orders, create, after(create, "CONFIRMED"), after(create, "CANCELLED"))
    stored = (await orders.get(f"/orders/{create['body']['orderId']}")).json()

    assert [status for status, _ in answers] == [201, 200, 409]
    assert answers[1][1] == stored
    assert stored["status"] == "CONFIRMED"
    assert answers[2][1]["detail"] == "the order is CONFIRMED, which is final"


async def test_the_same_request_again_changes_nothing(orders: httpx.AsyncClient, create: Envelope) -> None:
    first, again = await ask(orders, create), await ask(orders, create)

    assert [first[0][0], again[0][0]] == [201, 200]
    assert first[0][1] == again[0][1]


async def test_a_wrong_command_spoils_no_other(orders: httpx.AsyncClient, create: Envelope) -> None:
    priceless = command("CreateOrder", **create["body"] | {"orderId": str(uuid4()), "totalAmount": -1})
    nobodys = command("SetOrderStatus", sagaId=str(uuid4()), orderId=str(uuid4()), status="CONFIRMED")
    wrong = [priceless, nobodys, {**create, "type": "EatOrder"}, {**create, "messageId": "7"}, 7, None, []]
    answers = await ask(orders, *wrong, create)

    assert [status for status, _ in answers] == [422, 404, 422, 422, 422, 422, 422, 201]
    assert [error["field"] for error in answers[0][1]["errors"]] == ["totalAmount"]
    assert (await orders.get(f"/orders/{priceless['body']['orderId']}")).status_code == 404


@pytest.mark.parametrize("saga", ["one saga", "two sagas"])
async def test_two_orders_that_share_a_message_id_are_both_created_and_told_apart(
    saga: str, orders: httpx.AsyncClient, create: Envelope
) -> None:
    saga_id = create["body"]["sagaId"] if saga == "one saga" else str(uuid4())
    other = {**create, "body": create["body"] | {"sagaId": saga_id, "orderId": str(uuid4())}}
    answers = await ask(orders, create, other, other, create)

    assert {status for status, _ in answers} <= {200, 201}
    asked = [each["body"]["orderId"] for each in (create, other, other, create)]
    assert [body["orderId"] for _, body in answers] == asked


async def test_no_commands_get_no_answers(orders: httpx.AsyncClient) -> None:
    assert await ask(orders) == []


@pytest.mark.parametrize(
    ("content", "status"), [("{", 400), ("{}", 422), ("[" + "0," * 100 + "0]", 422), ("[" + "7," * 40_000 + "7]", 413)]
)
async def test_what_is_no_list_of_commands_is_refused_as_a_whole(
    orders: httpx.AsyncClient, content: str, status: int
) -> None:
    answer = await orders.post("/orders/batch", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
