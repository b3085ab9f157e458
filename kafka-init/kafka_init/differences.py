"""Topics that were there before: what is set otherwise than declared, and which of it is put right.

What would lose messages, or refuse them, is set to what is declared; a longer or larger limit, which somebody has
wanted, stays. Kafka's oldest request to alter a topic replaces all that is set of it, so the rest is sent along.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

logger = logging.getLogger("kafka_init")

LIMITS: Final = ("retention.ms", "retention.bytes", "max.message.bytes")
"""More is as good as what is declared; -1 is no limit."""
OF_THE_TOPIC: Final = 1
"""Kafka's number for a value that was set of this very topic, rather than of the broker."""
IN_SYNC: Final = "min.insync.replicas"


class TopicsError(Exception):
    """What topics.toml says cannot be had from this broker, and trying again will not change that."""


@dataclass(frozen=True)
class Settings:
    """Of one topic: every value that counts, and those among them that were set of the topic itself."""

    effective: Mapping[str, str]
    own: Mapping[str, str]


async def mend(admin: AIOKafkaAdminClient, topics: Iterable[NewTopic], replicas: Mapping[str, int]) -> None:
    """Say of each of these topics what differs, and mend it; TopicsError if it cannot work as it is."""
    found = await settings_of(admin, [topic.name for topic in topics])
    for topic in topics:
        settings = found[topic.name]
        _look_at_replicas(topic, settings, replicas[topic.name])
        wrong, larger = differences(topic.topic_configs, settings.effective)
        for name in larger:
            values = settings.effective[name], topic.topic_configs[name]
            logger.info("%s: %s is %s, more than the %s declared; it stays", topic.name, name, *values)
        if wrong:
            await _alter(admin, topic.name, {**settings.own, **wrong})
            for name, value in wrong.items():
                logger.warning("%s: %s was %s, is %s now", topic.name, name, settings.effective.get(name), value)


def _look_at_replicas(topic: NewTopic, settings: Settings, replicas: int) -> None:
    needed = int(settings.effective.get(IN_SYNC, 1))
    if needed > replicas:
        raise TopicsError(
            f"{topic.name} would refuse every message: {IN_SYNC} is {needed}, and it has no more than {replicas}. "
            f"Run `kafka-configs --alter --topic {topic.name} --add-config {IN_SYNC}={replicas}`."
        )
    if replicas < topic.replication_factor:
        numbers = topic.name, replicas, topic.replication_factor
        logger.warning("%s: replicas are %d, %d are declared; `kafka-reassign-partitions` alone can add some", *numbers)


def differences(declared: Mapping[str, str], effective: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What has to be set, and which limits are larger than declared."""
    other = {name: value for name, value in declared.items() if effective.get(name) != value}
    larger = [name for name in other if name in LIMITS and _size(effective.get(name)) > _size(other[name])]
    return {name: value for name, value in other.items() if name not in larger}, larger


async def settings_of(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, Settings]:
    """By topic; KafkaError if the broker does not say, because it has not heard of a topic yet for instance."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = await admin.describe_configs(wanted) if wanted else []
    resources = [resource for answer in answers for resource in answer.to_object()["resources"]]
    for resource in resources:
        if resource["error_code"]:
            raise for_code(resource["error_code"])(f"{resource['resource_name']}: {resource['error_message']}")
    return {resource["resource_name"]: _settings(resource["config_entries"]) for resource in resources}


def _settings(entries: list[dict[str, Any]]) -> Settings:
    effective = {entry["config_names"]: entry["config_value"] for entry in entries}
    own = [entry["config_names"] for entry in entries if entry["config_source"] == OF_THE_TOPIC]
    return Settings(effective, {name: effective[name] for name in own})


async def _alter(admin: AIOKafkaAdminClient, topic: str, settings: dict[str, str]) -> None:
    (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
    for code, message, *_ in answer.resources:
        if code:
            error: KafkaError = for_code(code)(f"{topic}: {message}")
            if error.retriable:
                raise error
            told = ",".join(f"{name}={value}" for name, value in settings.items())
            command = f"kafka-configs --alter --topic {topic} --add-config {told}"
            raise TopicsError(f"the broker refused to change {error}. Run `{command}` as somebody who may.")


def _size(value: str | None) -> float:
    return float("inf") if value == "-1" else float(value or 0)
