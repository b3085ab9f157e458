"""No unsafe default of aiokafka is left: with most of them the tests with a real broker pass most of the time."""

from typing import Any

import pytest

from chassis import kafka
from payment_service.settings import Settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The clients, made from these, are their arguments."""
    for client in ("AIOKafkaConsumer", "AIOKafkaProducer"):
        monkeypatch.setattr(kafka, client, dict)
    return Settings(instance="one")


def test_offsets_are_committed_by_us_and_a_restarted_member_is_known(settings: Settings) -> None:
    consumer: Any = kafka.consumer(settings)
    assert consumer["enable_auto_commit"] is False
    assert (consumer["auto_offset_reset"], consumer["isolation_level"]) == ("earliest", "read_committed")
    assert (consumer["group_id"], consumer["group_instance_id"]) == ("payment-service", "one")


def test_a_record_is_sent_once_in_order_and_is_there_when_all_replicas_have_it(settings: Settings) -> None:
    producer: Any = kafka.producer(settings)
    assert (producer["acks"], producer["enable_idempotence"]) == ("all", True)
