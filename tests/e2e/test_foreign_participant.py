"""A foreign participant answers the orchestrator's commands in place of ours, with bare bodies."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.support import wire as topics
from tests.support.consistency import books, disagreements
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.stack import INVENTORY, PAYMENT, Service, frozen
from tests.support.wire import Wire


@pytest.mark.parametrize(
    ("service", "command", "reply"),
    [(PAYMENT, topics.CHARGE, topics.CHARGED), (INVENTORY, topics.RESERVE, topics.RESERVED)],
    ids=["payment", "inventory"],
)
async def test_a_bare_reply_moves_a_saga_on_and_the_real_one_that_follows_changes_nothing(
    service: Service,
    command: str,
    reply: str,
    http: httpx.AsyncClient,
    databases: Databases,
    wire: Wire,
    user: str,
) -> None:
    body = {"userId": user, "totalAmount": 19.99, "forcePaymentFail": False, "forceInventoryFail": False}

    async def saga() -> dict[str, Any]:
        shown: dict[str, Any] = (await http.get(f"/sagas/{saga_id}")).raise_for_status().json()
        return shown

    async def is_completed() -> None:
        assert (await saga())["step"] == "ORDER_CONFIRMED"

    async with frozen(service):
        saga_id = (await http.post("/checkout", json=body, headers={"Prefer": "respond-async"})).json()["sagaId"]
        (asked,) = await wire.heard(saga_id, command)
        bare: dict[str, Any] = {
            name: asked.body[name] for name in ("sagaId", "orderId", "amount") if name in asked.body
        }
        await wire.send(reply, bare)
        await eventually(is_completed)
        (meanwhile,) = await books(databases, [saga_id])
        assert None in (meanwhile.payment, meanwhile.reservation), f"{service} was not frozen"
    ended = await saga()

    real = (await wire.heard(saga_id, reply))[-1]
    await eventually(lambda: is_handled(databases, real.message_id))
    assert [(await saga())[name] for name in ("status", "step", "reason")] == ["COMPLETED", "ORDER_CONFIRMED", None]
    assert (await saga())["events"][: len(ended["events"])] == ended["events"]
    assert await disagreements(databases, [saga_id]) == []


async def is_handled(databases: Databases, message_id: UUID) -> None:
    found = await databases.orchestrator.fetchval("select true from inbox where message_id = $1", message_id)
    assert found, f"the orchestrator has not handled {message_id}"
