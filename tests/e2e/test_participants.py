"""Payment and inventory, driven by a foreign orchestrator that sends bare bodies: no key, no headers."""

import asyncio
from collections.abc import Iterator
from itertools import count, islice
from uuid import uuid4

import httpx
import pytest

from tests.support.databases import Databases
from tests.support.participants import INVENTORY, PAYMENT, Conversation, Participant
from tests.support.wire import Wire

DRAWS = 40
"""So many at random that all alike is one run in 100,000."""

pytestmark = pytest.mark.parametrize("participant", [PAYMENT, INVENTORY], ids=str)


@pytest.fixture
def talks(participant: Participant, wire: Wire, databases: Databases) -> Iterator[Conversation]:
    """As many conversations as a test asks for."""
    return (Conversation(wire, databases, participant) for _ in count())


@pytest.fixture
def talk(talks: Iterator[Conversation]) -> Conversation:
    return next(talks)


async def test_a_bare_command_is_done_and_answered_under_the_saga_id(
    participant: Participant, talk: Conversation
) -> None:
    answer = await talk.do(forceFail=False)

    assert (answer.topic, answer.key) == (participant.yes, talk.saga_id)
    assert answer.body == {"sagaId": talk.saga_id, "orderId": talk.order_id, **participant.extra}
    assert await talk.status() == participant.done_status


async def test_a_bare_command_that_must_fail_is_refused_with_a_reason(
    participant: Participant, talk: Conversation
) -> None:
    answer = await talk.do(forceFail=True)

    assert (answer.topic, answer.key) == (participant.no, talk.saga_id)
    assert answer.body["orderId"] == talk.order_id
    assert answer.body["reason"]
    assert await talk.status() == "FAILED"


async def test_what_was_done_can_be_undone_and_undone_again(participant: Participant, talk: Conversation) -> None:
    await talk.do(forceFail=False)
    answers = [await talk.undo(), await talk.undo()]

    assert [answer.topic for answer in answers] == [participant.undone] * 2
    assert await talk.status() == participant.undone_status


async def test_an_undo_before_its_do_leaves_a_tombstone_that_refuses_the_late_do(
    participant: Participant, talk: Conversation
) -> None:
    undone = await talk.undo()
    late = await talk.do(forceFail=False)

    assert undone.topic == participant.undone
    assert (late.topic, late.body["reason"]) == (participant.no, "VOIDED")
    assert await talk.status() == "VOIDED"
    async with httpx.AsyncClient(base_url=participant.service.url) as http:
        shown = (await http.get(f"{participant.path}/{talk.order_id}")).json()
    assert (shown["sagaId"], shown["status"]) == (talk.saga_id, "VOIDED")


async def test_undoing_what_was_refused_changes_nothing(participant: Participant, talk: Conversation) -> None:
    await talk.do(forceFail=True)
    answer = await talk.undo()

    assert answer.topic == participant.undone
    assert await talk.status() == "FAILED"


async def test_a_do_and_its_undo_at_the_same_time_never_leave_it_done(
    participant: Participant, talks: Iterator[Conversation]
) -> None:
    races = list(islice(talks, 20))
    sends = [send for talk in races for send in (talk.send_do(forceFail=False), talk.send_undo())]
    await asyncio.gather(*sends)

    for talk in races:
        assert participant.undone in [answer.topic for answer in await talk.answers(new=2)]
        assert await talk.status() in (participant.undone_status, "VOIDED")


@pytest.mark.parametrize("fails", [True, False])
async def test_a_duplicate_is_answered_again_with_the_same_message(
    fails: bool, participant: Participant, talk: Conversation
) -> None:
    message_id = str(uuid4())
    first = await talk.do(message_id, forceFail=fails)
    status = await talk.status()
    again = await talk.do(message_id, forceFail=fails)

    assert (again.topic, again.body, again.message_id) == (first.topic, first.body, first.message_id)
    assert await talk.status() == status


async def test_a_duplicate_undo_is_answered_again_with_the_same_message(
    participant: Participant, talk: Conversation
) -> None:
    message_id = str(uuid4())
    await talk.do(forceFail=False)
    first, again = await talk.undo(message_id), await talk.undo(message_id)

    assert first.topic == participant.undone
    assert (again.topic, again.body, again.message_id) == (first.topic, first.body, first.message_id)


async def test_twenty_copies_of_a_command_at_once_have_one_effect_and_one_answer(
    participant: Participant, talk: Conversation
) -> None:
    message_id = str(uuid4())
    await asyncio.gather(*(talk.send_do(message_id) for _ in range(20)))
    await talk.answers()
    last = await talk.do(message_id)

    assert {(answer.topic, answer.message_id) for answer in await talk.answers(new=0)} == {
        (last.topic, last.message_id)
    }


async def test_a_random_outcome_is_drawn_once(participant: Participant, talks: Iterator[Conversation]) -> None:
    asked = list(islice(talks, DRAWS))
    first = [(await talk.do()).topic for talk in asked]
    again = [(await talk.do()).topic for talk in asked]

    assert again == first
    assert set(first) == {participant.yes, participant.no}, "the outcomes are not random"


async def test_a_copy_of_the_do_after_the_undo_does_not_do_it_again(
    participant: Participant, talk: Conversation
) -> None:
    message_id = str(uuid4())
    await talk.do(message_id, forceFail=False)
    await talk.undo()
    await talk.do(message_id, forceFail=False)
    await talk.do(forceFail=False)

    assert await talk.status() == participant.undone_status
