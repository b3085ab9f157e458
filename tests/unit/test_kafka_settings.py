"""No unsafe default of aiokafka is left: with most of them the tests with a real broker pass most of the time."""

from typing import Any

import pytest

from chassis import kafka
from payment_service.settings import Settings
from saga_orchestrator.checkout import CHECKOUT


class Arguments(dict[str, Any]):
    """A client that is what it was made from, and knows of no cluster."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(arguments)
        self.client = self._client = self.cluster = self
        self.add_listener = lambda _: None


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The clients, made from these, are their arguments."""
    for client in ("AIOKafkaConsumer", "AIOKafkaProducer"):
        monkeypatch.setattr(kafka, client, Arguments)
    return Settings(instance="one")


def test_a_new_partition_is_known_long_before_a_saga_gives_up_the_message_in_it(settings: Settings) -> None:
    shortest_seconds = min(step.timeout_seconds * step.tries for step in CHECKOUT.steps)
    for client in (kafka.consumer(settings), kafka.producer(settings)):
        ages: Any = client
        assert ages["metadata_max_age_ms"] / 1000 < shortest_seconds / 2


def test_offsets_are_committed_by_us_and_a_restarted_member_is_known(settings: Settings) -> None:
    consumer: Any = kafka.consumer(settings)
    assert consumer["enable_auto_commit"] is False
    assert (consumer["auto_offset_reset"], consumer["isolation_level"]) == ("earliest", "read_committed")
    assert (consumer["group_id"], consumer["group_instance_id"]) == ("payment-service", "one")


def test_a_process_that_is_not_alone_with_its_instance_id_goes_on_without(settings: Settings) -> None:
    consumer: Any = kafka.consumer(settings, static=False)
    assert consumer["group_instance_id"] is None


def test_a_record_is_sent_once_in_order_and_is_there_when_all_replicas_have_it(settings: Settings) -> None:
    producer: Any = kafka.producer(settings)
    assert (producer["acks"], producer["enable_idempotence"]) == ("all", True)
