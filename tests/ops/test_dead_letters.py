"""A message that could not be handled: it can be found, mended, sent again once, or given up."""

import asyncio
import json
import re
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from tests.ops.sagas import assert_step, begin, hold, refused_by_the_database, saga_of
from tests.ops.shell import letter_of, open_letters, ops, signed
from tests.support.consistency import disagreements
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER, PAYMENT, assert_ready, frozen
from tests.support.unreadable import write_unreadable
from tests.support.wire import CHARGE, CHARGED, PAYMENT_FAILED, REFUND, Wire

POISON = {"sagaId": "not-a-uuid"}


async def poison(wire: Wire, topic: str = CHARGE) -> dict[str, Any]:
    """The dead letter that a bad message has become."""
    message_id = str(uuid4())
    await wire.send(topic, POISON, {"message-id": message_id})
    return await letter_of(message_id)


async def test_the_list_and_the_letter_say_what_failed_and_why(wire: Wire) -> None:
    letter = await poison(wire)

    assert "InvalidRecord: sagaId: Input should be a valid UUID" in letter["error"]
    assert (letter["topic"], letter["sagaId"], letter["waits"]) == (CHARGE, None, None)
    for shown in (await ops("dlq", "list"), await ops("dlq", "show", letter["place"])):
        assert shown.code == 0, shown.error
        assert "Input should be a valid UUID" in shown.out
    assert '"sagaId": "not-a-uuid"' in (await ops("dlq", "show", letter["place"])).out


async def test_what_belongs_to_nobody_here_is_a_dead_letter_at_once(wire: Wire) -> None:
    order_id, owner, stranger, nobody = (str(uuid4()) for _ in range(4))
    refund_id, reply_id = str(uuid4()), str(uuid4())
    await wire.send(CHARGE, {"sagaId": owner, "orderId": order_id, "amount": 19.99})
    await wire.heard(owner, CHARGED, PAYMENT_FAILED)

    await wire.send(REFUND, {"sagaId": stranger, "orderId": order_id}, {"message-id": refund_id})
    await wire.send(CHARGED, {"sagaId": nobody, "orderId": order_id, "amount": 19.99}, {"message-id": reply_id})

    refund, reply = await letter_of(refund_id), await letter_of(reply_id)
    assert f"belongs to saga {owner}, not to {stranger}" in refund["error"]
    assert f"there is no saga {nobody}" in reply["error"]
    assert (refund["attempt"], reply["attempt"]) == ("1", "1")


async def test_a_strangers_marker_is_passed_over(wire: Wire) -> None:
    await wire.send_raw("payment-service.dlq", b"", [("redriven", b"junk")])
    letter = await poison(wire)
    listed = await ops("dlq", "list")
    assert (listed.code, letter["place"] in listed.out) == (0, True), listed.error
    assert listed.error.count("markers that name no place") == 1
    assert (await signed("dlq", "drop", letter["place"])).events == ["dead letter dropped"]


async def test_a_dry_run_changes_nothing(wire: Wire) -> None:
    letter = await poison(wire)

    for action in ("redrive", "drop"):
        tried = await signed("dlq", action, letter["place"], "--dry-run")
        assert (tried.code, len(tried.events)) == (0, 1), tried.error
    assert await letter_of(letter["messageId"]) == letter


@pytest.mark.proves("redrive")
async def test_a_repaired_message_has_its_effect_once_whatever_dies_and_however_often_it_is_sent(
    wire: Wire, databases: Databases, tmp_path: Path
) -> None:
    letter, order_id, repaired = await poison(wire), uuid4(), tmp_path / "repaired.json"
    saga_id = str(uuid4())
    body = {"sagaId": saga_id, "orderId": str(order_id), "amount": 19.99, "forceFail": False}
    repaired.write_text(json.dumps(body))
    redrive = ("dlq", "redrive", letter["place"], "--body", str(repaired))

    async def assert_charged_once() -> None:
        payments = await databases.payment.fetch("select status, version from payments where order_id = $1", order_id)
        assert [tuple(payment) for payment in payments] == [("CHARGED", 1)]

    died = await signed(*redrive, crash_at="redrive.sent")
    assert died.code == -signal.SIGKILL
    assert "crash point redrive.sent" in died.error
    await eventually(assert_charged_once)
    assert await letter_of(letter["messageId"]) == letter

    assert (await signed(*redrive)).events == ["dead letter redriven"]
    assert await all_of(letter) == []
    again = await signed(*redrive)
    assert (again.code, again.events) == (0, ["nothing to do, it is closed"])
    assert "redriven by a test" in (await ops("dlq", "show", letter["place"])).out

    replies = await wire.heard(saga_id, CHARGED, count=2)
    assert len({reply.message_id for reply in replies}) == 1, "the second was not the first's answer again"
    await assert_charged_once()


async def test_a_letter_that_keeps_coming_back_is_refused_in_the_end_and_can_be_dropped(wire: Wire) -> None:
    letter = await poison(wire)
    for redrives in (1, 2, 3):
        assert (await signed("dlq", "redrive", letter["place"])).code == 0
        letter = await letter_of(letter["messageId"], redrives)

    refused = await signed("dlq", "redrive", letter["place"])
    assert (refused.code, refused.events) == (1, ["not redriven: it came back too often, see --force"])
    assert await all_of(letter) == [letter]
    assert (await signed("dlq", "redrive", letter["place"], "--force")).code == 0
    letter = await letter_of(letter["messageId"], 4)

    assert (await signed("dlq", "drop", letter["place"])).events == ["dead letter dropped"]
    assert await all_of(letter) == []
    assert (await signed("dlq", "redrive", letter["place"])).events == ["nothing to do, it is closed"]


async def test_what_names_no_letter_is_refused_and_changes_nothing() -> None:
    before = await open_letters()
    tried = [
        *(ops("dlq", "show", place) for place in ("nonsense", "no-such/0/0", "payment-service/7/0")),
        *(signed("dlq", "redrive", *words) for words in ([], ["--all", "payment-service/0/0"], ["nonsense"])),
        *(signed("dlq", "drop", *words) for words in (["payment-service/0/999999"], ["--saga", "not-a-uuid"])),
        *(ops("dlq", "drop", "--all", *words) for words in (["--by", "me"], ["--by", "me", "--why", " "])),
    ]
    for done in await asyncio.gather(*tried):
        assert done.code > 0
        assert done.error
        assert "Traceback" not in done.error
    assert await open_letters() == before


async def test_a_saga_whose_reply_could_not_be_handled_ends_after_the_redrive(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    async with frozen(PAYMENT):
        saga_id = await begin(http, user)
        await eventually(lambda: assert_step(http, saga_id, "ORDER_CREATED"))
        await hold(databases, saga_id)
        refusing = refused_by_the_database(databases, saga_id)
        await refusing.__aenter__()

    async def dead_letter() -> dict[str, Any]:
        letters = await open_letters("--saga", saga_id)
        assert len(letters) == 1
        return letters[0]

    letter = await eventually(dead_letter)
    assert "CheckViolationError" in letter["error"]
    assert (letter["topic"], letter["waits"]) == (CHARGED, True)
    assert letter["saga"] == {"status": "RUNNING", "step": "ORDER_CREATED"}
    assert "ChargePayment" in (await ops("dlq", "show", letter["place"])).out

    await refusing.__aexit__(None, None, None)
    assert (await signed("dlq", "redrive", "--saga", saga_id)).events == ["dead letter redriven", "all seen to"]
    await eventually(lambda: assert_step(http, saga_id, "ORDER_CONFIRMED"))
    again = await signed("dlq", "redrive", "--saga", saga_id)
    assert (again.code, again.events) == (0, ["nothing to do, no open dead letter matches"])
    assert (await saga_of(http, saga_id))["status"] == "COMPLETED"
    assert await disagreements(databases, [saga_id]) == []


async def all_of(letter: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in await open_letters() if each["messageId"] == letter["messageId"]]


async def test_whoever_cannot_read_a_partition_says_where_and_goes_on_behind_that(wire: Wire) -> None:
    await write_unreadable(REFUND, records=2)

    async def assert_stands() -> str:
        async with httpx.AsyncClient(base_url=PAYMENT.url) as http:
            said: str = (await http.get("/readyz")).json()["consumer"]
        assert f"{REFUND}/0 stands at offset" in str(said)
        return said

    said = await eventually(assert_stands)
    found = re.search(r"readable again from (\d+) on", said)
    assert found, said
    assert (await signed("dlq", "pass", f"{REFUND}/0/{int(found[1]) + 1}")).code == 1
    passed = await signed("dlq", "pass", f"{REFUND}/0/{found[1]}")
    assert passed.code == 0, passed.error
    assert json.loads(passed.out.splitlines()[0])["not_handled"] >= 2
    await eventually(lambda: assert_ready(PAYMENT))


async def test_a_cut_letter_is_redriven_whole_while_its_original_is_there(wire: Wire) -> None:
    poison = b"x" * 1_000
    async with AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER) as producer:
        original = await producer.send_and_wait(CHARGE, poison, partition=0)
        for offset, message_id in (
            (original.offset, whole := str(uuid4())),
            (original.offset + 7, gone := str(uuid4())),
        ):
            place = {"original-topic": CHARGE, "original-partition": "0", "original-offset": str(offset)}
            headers = place | {"message-id": message_id, "cut": "200 of 1000 bytes are left"}
            encoded = [(name, text.encode()) for name, text in headers.items()]
            await producer.send_and_wait("payment-service.dlq", poison[:200], headers=encoded)

    refused = await signed("dlq", "redrive", (await letter_of(gone))["place"])
    assert (refused.code, len(refused.events)) == (1, 1)
    assert "the original is gone" in refused.events[0]
    assert (await signed("dlq", "redrive", (await letter_of(whole))["place"])).code == 0
    letter = await letter_of(whole, redrives=1)
    assert "1000 bytes" in (await ops("dlq", "show", letter["place"])).out
    for left in (gone, whole):
        assert (await signed("dlq", "drop", (await letter_of(left, redrives=int(left == whole)))["place"])).code == 0
