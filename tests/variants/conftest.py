"""Four services that the benchmark compares with, beside the Postgres and Kafka of a fresh stack."""

import os
from collections.abc import AsyncIterator

import httpx
import pytest

from bench import stack
from local.instance import ORCHESTRATOR, Instance
from tests.support.stack import KAFKA_BROKER, OFFSET


@pytest.fixture
def instance() -> Instance:
    return Instance(os.environ["STACK_INSTANCE"], OFFSET)


@pytest.fixture
async def orchestrator(instance: Instance, variant: stack.Command) -> AsyncIterator[httpx.AsyncClient]:
    with stack.running(instance, KAFKA_BROKER, instance.log("variant"), variant):
        async with httpx.AsyncClient(base_url=instance.url(ORCHESTRATOR), timeout=30) as http:
            yield http
