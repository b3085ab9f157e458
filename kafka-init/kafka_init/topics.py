"""The topics that topics.toml declares, and how a broker comes to have them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    InvalidReplicationFactorError,
    LeaderNotAvailableError,
    NoError,
    NotControllerError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    for_code,
)

from kafka_init.differences import TopicsError, mend

# TopicAlreadyExistsError: another kafka-init was faster.
NOT_FINAL = {NoError, TopicAlreadyExistsError, RequestTimedOutError, NotControllerError}


@dataclass(frozen=True)
class Existing:
    """A topic as the broker has it; `replicas` of the partition with the fewest."""

    partitions: int
    replicas: int


def declared_topics(prefix: str = "") -> dict[str, NewTopic]:
    """By the name without the prefix, with partitions, replication factor and config."""

    def topic(name: str, group: dict[str, Any]) -> NewTopic:
        config = {key: str(value) for key, value in group["config"].items()}
        return NewTopic(prefix + name, group["partitions"], group["replication-factor"], topic_configs=config)

    groups = tomllib.loads(Path(__file__).with_name("topics.toml").read_text()).values()
    return {name: topic(name, group) for group in groups for name in group["topics"]}


async def create_missing_topics(admin: AIOKafkaAdminClient, prefix: str = "") -> list[str]:
    """The names of what was missing. Any KafkaError means that the whole of it can be tried again."""
    declared = {topic.name: topic for topic in declared_topics(prefix).values()}
    before = await usable_topics(admin)
    refuse_too_few_partitions(declared, before)
    missing = [topic for name, topic in declared.items() if name not in before]
    if missing:
        await create(admin, missing)
    after = await usable_topics(admin)
    if absent := declared.keys() - after.keys():
        raise LeaderNotAvailableError(f"no leader yet for {', '.join(sorted(absent))}")
    there = [topic for name, topic in declared.items() if name in before]
    await mend(admin, there, {name: existing.replicas for name, existing in before.items()})
    return [topic.name for topic in missing]


async def usable_topics(admin: AIOKafkaAdminClient) -> dict[str, Existing]:
    """Each topic whose partitions all have a leader."""
    return {
        topic["topic"]: Existing(len(partitions), min(len(partition["replicas"]) for partition in partitions))
        for topic in await admin.describe_topics()
        if (partitions := topic["partitions"]) and all(partition["leader"] >= 0 for partition in partitions)
    }


def refuse_too_few_partitions(declared: dict[str, NewTopic], existing: dict[str, Existing]) -> None:
    """TopicsError if a topic has fewer partitions than declared; more are left as they are."""
    wanted = {name: topic.num_partitions for name, topic in declared.items() if name in existing}
    found = {name: existing[name].partitions for name in wanted}
    too_few = [f"{name} has {found[name]} of {n}" for name, n in wanted.items() if found[name] < n]
    if too_few:
        raise TopicsError(
            f"too few partitions: {', '.join(too_few)}. They are not added silently, since that moves keys to other "
            "partitions while messages are under way. Stop the services and run `kafka-topics --alter --topic NAME "
            "--partitions N`, or put the lower number into topics.toml."
        )


async def create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    """Whether the topics are there is seen afterwards, so that only an answer which will not change is an error.

    Too few brokers for the replication factor is one that may: those of a cluster join one after the other.
    """
    response = await admin.create_topics(topics)
    answers = [(for_code(code), f"{name}: {message}") for name, code, message in response.topic_errors]
    if refused := [text for error, text in answers if error not in NOT_FINAL | {InvalidReplicationFactorError}]:
        raise TopicsError(f"the broker refused to create topics: {'; '.join(refused)}")
    if too_few := [text for error, text in answers if error is InvalidReplicationFactorError]:
        raise InvalidReplicationFactorError("; ".join(too_few))
