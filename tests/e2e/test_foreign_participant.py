"""A stranger takes the place of payment, of inventory, of both, or of the orchestrator.

It knows the topics and the bodies that the original sends: no key, no headers, no reason for a no.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from ops.letters import Letter, connected
from tests.support import wire as topics
from tests.support.consistency import books, disagreements
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.participants import INVENTORY as RESERVES
from tests.support.participants import PAYMENT as CHARGES
from tests.support.participants import Conversation, Participant
from tests.support.stack import INVENTORY, KAFKA_BROKER, PAYMENT, Service, frozen
from tests.support.wire import (
    CHARGE,
    CHARGED,
    INVENTORY_FAILED,
    PAYMENT_FAILED,
    REFUND,
    REFUNDED,
    RESERVE,
    RESERVED,
    Wire,
)

WILLING = {"totalAmount": 127, "forcePaymentFail": False, "forceInventoryFail": False}
NO_PAYMENT, NO_STOCK = WILLING | {"forcePaymentFail": True}, WILLING | {"forceInventoryFail": True}
"""What ours will say, too, when it wakes and hears what the stranger has answered meanwhile."""

YES = [(CHARGE, CHARGED), (RESERVE, RESERVED)]
REFUSED = [(CHARGE, PAYMENT_FAILED)]
UNSTOCKED = [(CHARGE, CHARGED), (RESERVE, INVENTORY_FAILED), (REFUND, REFUNDED)]
COMPLETED, NOT_PAID, NOT_STOCKED = (200, "ORDER_CONFIRMED"), (402, "PAYMENT_FAILED"), (409, "INVENTORY_FAILED")


class Stranger:
    """Answers the orchestrator's commands with the bare bodies of the original, each several times."""

    def __init__(self, wire: Wire, http: httpx.AsyncClient, databases: Databases) -> None:
        self._wire, self._http, self._databases = wire, http, databases

    async def plays(self, wanted: dict[str, Any], replies: Sequence[tuple[str, str]]) -> httpx.Response:
        """What a customer is told who waits, while these commands get these replies."""
        user = f"user-{uuid4()}"
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(self._http.post("/checkout", json={"userId": user, **wanted}))
            saga_id = await eventually(lambda: self._saga_of(user))
            for command, reply in replies:
                await self.answers(saga_id, command, reply)
        return answer.result()

    async def answers(self, saga_id: str, command: str, reply: str, times: int = 3, **changes: Any) -> None:
        asked = (await self._wire.heard(saga_id, command))[-1].body
        names = ("sagaId", "orderId", "amount") if reply in (CHARGED, PAYMENT_FAILED) else ("sagaId", "orderId")
        for _ in range(times):
            await self._wire.send(reply, {name: asked[name] for name in names} | changes, partition=0)

    async def _saga_of(self, user: str) -> str:
        query = "select saga_id from sagas where start ->> 'userId' = $1"
        saga_id = await self._databases.orchestrator.fetchval(query, user)
        assert saga_id, f"{user} has no saga"
        return str(saga_id)


@pytest.fixture
def stranger(wire: Wire, http: httpx.AsyncClient, databases: Databases) -> Stranger:
    return Stranger(wire, http, databases)


@pytest.mark.parametrize(
    ("away", "plays"),
    [
        ([PAYMENT], [(WILLING, YES[:1], COMPLETED), (NO_PAYMENT, REFUSED, NOT_PAID)]),
        ([INVENTORY], [(WILLING, YES[1:], COMPLETED), (NO_STOCK, UNSTOCKED[1:2], NOT_STOCKED)]),
        (
            [PAYMENT, INVENTORY],
            [(WILLING, YES, COMPLETED), (NO_PAYMENT, REFUSED, NOT_PAID), (NO_STOCK, UNSTOCKED, NOT_STOCKED)],
        ),
    ],
    ids=["payment", "inventory", "both"],
)
async def test_a_foreign_participant_s_yes_and_no_and_undo_end_a_checkout_at_once_as_ours_do(
    away: list[Service], plays: list[Any], stranger: Stranger, http: httpx.AsyncClient, databases: Databases
) -> None:
    async with AsyncExitStack() as stopped:
        for service in away:
            await stopped.enter_async_context(frozen(service))
        answers = [await stranger.plays(wanted, replies) for wanted, replies, _ in plays]
        sagas = [answer.json()["sagaId"] for answer in answers]
        rows = {name: [getattr(b, name) for b in await books(databases, sagas)] for name in ("payment", "reservation")}
        for service, name in ((PAYMENT, "payment"), (INVENTORY, "reservation")):
            assert service not in away or set(rows[name]) == {None}, f"{service} was not frozen"
    assert [(a.status_code, a.json()["step"]) for a in answers] == [end for _, _, end in plays]
    assert [a.json()["reason"] for a in answers] == [None] * len(answers)

    # Ours wakes, and answers what has been answered.
    await eventually(lambda: assert_agree(databases, sagas))
    seen = [(await http.get(f"/sagas/{saga_id}")).json() for saga_id in sagas]
    assert [(saga["step"], saga["reason"]) for saga in seen] == [(step, None) for _, _, (_, step) in plays]


async def assert_agree(databases: Databases, sagas: list[str]) -> None:
    """Ours may hear of a refund before it hears of the charge."""
    problems = await disagreements(databases, sagas)
    assert [problem for problem in problems if not problem.endswith("its payment is VOIDED")] == []


@pytest.mark.parametrize("wrong", [{"amount": 1}, {"orderId": str(UUID(int=1))}], ids=str)
async def test_a_reply_about_another_amount_or_order_is_a_dead_letter_and_the_saga_waits_on(
    wrong: dict[str, Any], stranger: Stranger, http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    async with frozen(PAYMENT):
        accepted = await http.post("/checkout", json={"userId": user} | WILLING, headers={"Prefer": "respond-async"})
        saga_id = accepted.json()["sagaId"]
        await stranger.answers(saga_id, CHARGE, CHARGED, times=1, **wrong)
        letter = await eventually(lambda: letter_of(saga_id))
        assert letter.headers["error"].startswith("Contradiction: it says ")
        assert (await http.get(f"/sagas/{saga_id}")).json()["step"] == "ORDER_CREATED"
    await eventually(lambda: assert_agree(databases, [saga_id]))


async def letter_of(saga_id: str) -> Letter:
    async with connected(KAFKA_BROKER) as letters:
        found = [letter async for letter in letters.all() if letter.saga_id == UUID(saga_id)]
    assert len(found) == 1, f"{len(found)} dead letters of {saga_id}"
    return found[0]


@pytest.mark.parametrize("participant", [CHARGES, RESERVES], ids=str)
async def test_a_foreign_orchestrator_may_give_one_id_to_all_that_it_sends(
    participant: Participant, wire: Wire, databases: Databases
) -> None:
    message_id = str(uuid4())
    talks = [Conversation(wire, databases, participant) for _ in range(2)]
    for talk in talks:
        done = await talk.do(message_id, forceFail=False)
        undone = await talk.undo(message_id)
        again = await talk.do(message_id, forceFail=False)
        undone_again = await talk.undo(message_id)

        answers = [done, undone, again, undone_again]
        assert [a.topic for a in answers] == [participant.yes, participant.undone] * 2
        assert {a.headers["causation-id"] for a in answers} == {message_id}
        assert (again.message_id, undone_again.message_id) == (done.message_id, undone.message_id)
        assert await talk.status() == participant.undone_status


@pytest.mark.parametrize("participant", [CHARGES, RESERVES], ids=str)
async def test_a_foreign_orchestrator_may_spell_ids_as_it_likes_and_say_null(
    participant: Participant, wire: Wire
) -> None:
    saga_id, order_id = uuid4(), uuid4()
    body = {"sagaId": f"{{{str(saga_id).upper()}}}", "orderId": order_id.hex.upper()}
    await wire.send(participant.do, body | participant.extra | {"forceFail": None, "reason": None}, partition=0)
    await wire.send(participant.undo, body, partition=0)
    answers = await wire.heard(str(saga_id), participant.yes, participant.no, participant.undone, count=2)

    assert [answer.topic for answer in answers if answer.topic == participant.undone] == [participant.undone]
    assert {(a.body["sagaId"], a.body["orderId"]) for a in answers} == {(str(saga_id), str(order_id))}


async def test_a_charge_of_no_amount_is_refused(wire: Wire, databases: Databases) -> None:
    saga_id, order_id = str(uuid4()), str(uuid4())
    await wire.send(topics.CHARGE, {"sagaId": saga_id, "orderId": order_id, "amount": None})
    (answer,) = await wire.heard(saga_id, CHARGED, PAYMENT_FAILED)
    assert (answer.topic, answer.body) == (
        PAYMENT_FAILED,
        {"sagaId": saga_id, "orderId": order_id, "reason": "AMOUNT_MISSING"},
    )
    row = await databases.payment.fetchrow("select status, amount, reason from payments where order_id = $1", order_id)
    assert row
    assert tuple(row) == ("FAILED", None, "AMOUNT_MISSING")
