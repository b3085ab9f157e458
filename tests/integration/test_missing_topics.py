"""A consumer gets no partition of any topic while one of them does not exist: it says which, and waits."""

import httpx
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from fastapi import FastAPI
from structlog.testing import capture_logs

from chassis import health
from chassis.database import Pool
from chassis.settings import Settings
from tests.integration.counters import Bodies, add, total
from tests.integration.counting import counting
from tests.integration.topics import write
from tests.support.eventually import eventually


async def test_a_service_says_which_topic_is_missing_until_there_is_one(
    pool: Pool, settings: Settings, wired: Bodies, admin: AIOKafkaAdminClient
) -> None:
    delays = settings.retry_delays_seconds | {"forgotten": 0.1}
    forgotten = f"{settings.service}.retry.forgotten"
    hasty = settings.model_copy(update={"retry_delays_seconds": delays, "kafka_request_timeout_ms": 1_500})
    app, message = FastAPI(), add(5)
    await write(wired.add.destination, message)
    with capture_logs() as log:
        async with counting(hasty, wired) as consumer:
            app.include_router(health.routes(consumer=consumer.health))
            await eventually(lambda: assert_ready(app, 503, f"missing topics: {forgotten}"))
            assert await total(pool, message.key) is None
            assert [forgotten] in [line.get("topics") for line in log if line["log_level"] == "error"]

            await admin.create_topics([NewTopic(forgotten, num_partitions=1, replication_factor=1)])
            await eventually(lambda: assert_ready(app, 200, True))
            await eventually(lambda: assert_total(pool, 5))
    await admin.delete_topics([forgotten])


async def assert_ready(app: FastAPI, status: int, consumer: bool | str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["consumer"]) == (status, consumer)


async def assert_total(pool: Pool, wanted: int) -> None:
    assert await pool.fetchval("select sum(total) from counters") == wanted
