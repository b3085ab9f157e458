"""What broke the plain version of this system, one test for each line of its list."""

import json
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from local.instance import ORCHESTRATOR, PAYMENT, SERVICES, Service
from tests.chaos.poison import Place, dead_letters
from tests.chaos.system import ALL_WELL, System
from tests.chaos.verdict import assert_all_well
from tests.support import participants as foreign
from tests.support.load import load
from tests.support.participants import Conversation, Participant
from tests.support.stack import KAFKA_BROKER
from tests.support.wire import CHARGE, COMMANDS, EVENTS

Talks: TypeAlias = Callable[[Participant], Conversation]
BOTH = pytest.mark.parametrize("participant", [foreign.PAYMENT, foreign.INVENTORY], ids=str)
CALLERS = 64
JSON = {"Content-Type": "application/json"}
BAD_AMOUNTS = ['"abc"', "1e400"]
"""As JSON; the first is none at all."""


@pytest.fixture
async def talks(system: System) -> AsyncIterator[Talks]:
    """A foreign orchestrator's conversations; their rows are removed, since the auditor knows no such sagas."""
    had: list[Conversation] = []

    def talk(participant: Participant) -> Conversation:
        had.append(Conversation(system.wire, system.databases, participant))
        return had[-1]

    yield talk
    ids = [conversation.saga_id for conversation in had]
    await system.databases.payment.execute("delete from payments where saga_id = any($1)", ids)
    await system.databases.inventory.execute("delete from reservations where saga_id = any($1)", ids)


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(ORCHESTRATOR, marks=pytest.mark.proves("plain-orchestrator-killed")),
        pytest.param(PAYMENT, marks=pytest.mark.proves("plain-payment-killed")),
    ],
    ids=lambda service: service.name,
)
async def test_a_service_killed_under_64_callers_leaves_no_saga_running_and_nobody_wrongly_charged(
    system: System, service: Service
) -> None:
    async with load(system.http, CALLERS) as history:
        await history.grows(CALLERS)
        await system[service].end()
        system[service].start()
        await history.grows(CALLERS, within=60)
    await assert_all_well(system, history)


@pytest.mark.proves("plain-poison")
async def test_random_bytes_on_every_topic_stop_no_checkout(system: System) -> None:
    for topic in (*COMMANDS, *EVENTS):
        await system.wire.send_raw(topic, b"\xff\x00 no message")

    await system.agree([await system.checkout() for _ in range(10)])


@pytest.mark.proves("plain-bad-amount")
async def test_an_amount_that_is_none_ends_no_service_and_one_and_a_half_is_an_amount(system: System) -> None:
    async with dead_letters() as letters:
        for bad in ("", *BAD_AMOUNTS):
            answer = await system.http.post("/checkout", content=spelled(bad, "totalAmount", userId="u1"), headers=JSON)
            assert answer.status_code in (400, 422), answer.text
        await letters.hold({await charge(bad) for bad in BAD_AMOUNTS})
    body = {"userId": "u1", "totalAmount": 1.5, **ALL_WELL}
    good = await system.http.post("/checkout", json=body)

    assert good.status_code == 200, good.text
    await system.agree([good.json()["sagaId"]])
    assert [service.name for service in SERVICES if not system[service].lives] == []


def spelled(amount: str, field: str, **others: str) -> str:
    """A body with this amount, which no JSON library would write."""
    return json.dumps(others)[:-1] + (f', "{field}": {amount}' if amount else "") + "}"


async def charge(amount: str) -> Place:
    """A charge command with such an amount; where it stands."""
    body = spelled(amount, "amount", sagaId=str(uuid4()), orderId=str(uuid4()))
    async with AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER) as producer:
        sent = await producer.send_and_wait(CHARGE, body.encode())
    return sent.topic, sent.partition, sent.offset


@BOTH
@pytest.mark.proves("plain-refund-of-failed")
async def test_the_undo_of_what_was_refused_changes_nothing(talks: Talks, participant: Participant) -> None:
    talk = talks(participant)
    assert (await talk.do(forceFail=True)).topic == participant.no
    assert (await talk.undo()).topic == participant.undone
    assert await talk.status() == "FAILED"


@BOTH
@pytest.mark.proves("plain-refund-first", "refund-overtakes-charge", "release-overtakes-reserve")
async def test_what_comes_after_its_undo_is_refused(talks: Talks, participant: Participant) -> None:
    talk = talks(participant)
    assert (await talk.undo()).topic == participant.undone
    assert (await talk.do(forceFail=False)).topic == participant.no
    assert await talk.status() == "VOIDED"


@BOTH
@pytest.mark.proves("plain-duplicate-charge")
async def test_a_command_that_comes_twice_is_answered_twice_and_done_once(
    talks: Talks, participant: Participant
) -> None:
    talk, message_id = talks(participant), str(uuid4())
    first = await talk.do(message_id, forceFail=False)
    second = await talk.do(message_id, forceFail=False)
    assert (second.topic, second.message_id) == (participant.yes, first.message_id)
    assert await talk.status() == participant.done_status
