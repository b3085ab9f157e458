"""What `make up` tells the replicas of a service."""

import pytest

from local import services
from local.instance import PAYMENT, Instance


def test_an_instance_id_of_the_shell_does_not_make_one_process_of_two_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTANCE", "x")
    told = {program.name: program.environment["INSTANCE"] for program in services.programs(Instance(), 2, "kafka:9092")}
    assert (told[PAYMENT.name], told[f"{PAYMENT.name}-2"]) == ("x", "x-2")


def test_a_prefix_that_kafka_would_not_take_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PREFIX", "shop a")
    with pytest.raises(Exception, match="KAFKA_PREFIX is 'shop a', but should be at most 100 letters"):
        services.require_settings(Instance(), "kafka:9092")
