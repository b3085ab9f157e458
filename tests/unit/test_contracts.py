"""What one service writes another can read: services share no code, so the two declarations are compared."""

from typing import Any

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


def schema(body: type[Body]) -> dict[str, Any]:
    found = body.model_json_schema()
    return {"properties": found["properties"], "required": set(found["required"])}


@pytest.mark.parametrize("ours", OURS)
def test_a_message_is_declared_alike_on_both_sides(ours: type[Body]) -> None:
    theirs = THEIRS[ours.__name__]
    assert (theirs.destination, schema(theirs)) == (ours.destination, schema(ours))


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
