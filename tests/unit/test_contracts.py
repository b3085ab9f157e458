"""What one service writes another can read: services share no code, so the two declarations are compared."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

import inventory_service.messages as inventory
import payment_service.messages as payment
import saga_orchestrator.messages as orchestrator
from chassis.messages import SUBMITTER, Body
from kafka_init.topics import declared_topics
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Step

PARTICIPANTS = (payment, inventory)
SERVICES = (orchestrator, *PARTICIPANTS)
THEIRS = {body.__name__: body for body in (*orchestrator.SENDS, *orchestrator.READS)}
OURS = [body for service in PARTICIPANTS for body in (*service.READS, *service.SENDS)]
NOT_ON_KAFKA = {"order-service", SUBMITTER}

IDS = {"sagaId": str(UUID(int=1)), "orderId": str(UUID(int=2))}
AMOUNT = {"amount": 127}
GIVEN_BY_STRANGERS: dict[str, dict[str, Any]] = {
    "payment.charge.command": IDS | AMOUNT,
    "payment.refund.command": IDS,
    "inventory.reserve.command": IDS,
    "inventory.release.command": IDS,
    "payment.charged": IDS | AMOUNT,
    "payment.failed": IDS | AMOUNT,
    "payment.refunded": IDS,
    "inventory.reserved": IDS,
    "inventory.failed": IDS,
    "inventory.released": IDS,
}
"""The wire, whoever sends: a foreign sender gives no more than this."""
READ = {body.destination: body for service in SERVICES for body in service.READS}
SENT = {body.destination: body for service in SERVICES for body in service.SENDS}


def schema(body: type[Body]) -> dict[str, Any]:
    found = body.model_json_schema()
    return {"properties": found["properties"], "required": set(found["required"])}


@pytest.mark.parametrize("ours", OURS)
def test_a_message_is_declared_alike_on_both_sides(ours: type[Body]) -> None:
    theirs = THEIRS[ours.__name__]
    assert (theirs.destination, schema(theirs)) == (ours.destination, schema(ours))


def test_the_wire_is_what_we_read_and_what_we_send() -> None:
    assert GIVEN_BY_STRANGERS.keys() == READ.keys() == SENT.keys() - NOT_ON_KAFKA


@pytest.mark.parametrize("topic", GIVEN_BY_STRANGERS)
def test_a_stranger_s_message_is_read_and_one_with_the_ids_alone_as_well(topic: str) -> None:
    for given in (GIVEN_BY_STRANGERS[topic], IDS):
        read = READ[topic].model_validate_json(json.dumps(given))
        assert json.loads(read.to_json()) == given
    assert schema(READ[topic])["required"] == set(IDS), "what may be missing at a stranger's is required here"


@pytest.mark.parametrize("topic", GIVEN_BY_STRANGERS)
def test_null_is_as_good_as_missing(topic: str) -> None:
    optional = schema(READ[topic])["properties"].keys() - IDS.keys()
    assert READ[topic].model_validate_json(json.dumps(IDS | dict.fromkeys(optional))) == READ[
        topic
    ].model_validate_json(json.dumps(IDS))


@pytest.mark.parametrize("topic", GIVEN_BY_STRANGERS)
def test_we_can_give_a_stranger_what_strangers_give(topic: str) -> None:
    assert GIVEN_BY_STRANGERS[topic].keys() <= schema(SENT[topic])["properties"].keys()


@pytest.mark.parametrize(
    "spelt", [str.upper, "{{{}}}".format, "urn:uuid:{}".format, lambda text: text.replace("-", "")]
)
def test_an_id_may_be_spelt_in_any_way_that_a_uuid_may(spelt: Callable[[str], str]) -> None:
    given = {name: spelt(text) for name, text in IDS.items()}
    read = READ["payment.refund.command"].model_validate_json(json.dumps(given))
    assert json.loads(read.to_json()) == IDS


@pytest.mark.parametrize("topic", ["payment.charged", "payment.failed"])
def test_a_reply_may_repeat_the_amount_as_text(topic: str) -> None:
    read = READ[topic].model_validate_json(json.dumps(IDS | {"amount": "127.00"}))
    assert json.loads(read.to_json()) == IDS | AMOUNT


@pytest.mark.parametrize("step", CHECKOUT.steps, ids=lambda step: step.name)
def test_every_reply_that_a_step_awaits_over_kafka_is_read_by_the_orchestrator(step: Step) -> None:
    replies = [reply for reply in (step.yes, step.no, step.undone) if reply and reply.destination != SUBMITTER]
    assert set(replies) <= set(orchestrator.READS)


@pytest.mark.parametrize("step", CHECKOUT.steps, ids=lambda step: step.name)
def test_every_command_of_a_step_can_be_restored_from_the_outbox(step: Step) -> None:
    assert {command for command in (step.do, step.undo) if command} <= set(orchestrator.SENDS)


def test_every_topic_is_written_by_one_service_and_read_by_another() -> None:
    written = sorted(b.destination for s in SERVICES for b in s.SENDS if b.destination not in NOT_ON_KAFKA)
    read = sorted(b.destination for s in SERVICES for b in s.READS)
    topics = sorted(name for name in declared_topics() if ".retry." not in name and not name.endswith(".dlq"))
    assert written == read == topics


def test_no_topic_keeps_records_in_a_form_for_which_a_reader_needs_a_codec() -> None:
    assert {topic.topic_configs["compression.type"] for topic in declared_topics().values()} == {"uncompressed"}


def test_every_consumer_has_a_dead_letter_topic() -> None:
    consumers = {service.__name__.partition(".")[0].replace("_", "-") for service in SERVICES if service.READS}
    topics = declared_topics()
    assert {f"{consumer}.dlq" for consumer in consumers} <= topics.keys()
    assert {name.partition(".")[0] for name in topics if name.endswith(".dlq")} == consumers
