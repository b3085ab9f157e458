"""Creates the topics that the broker does not have yet, and mends the others. Run it as often as you like."""

import asyncio
import logging
import sys
from time import monotonic

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chassis.environment import settings_or_exit
from kafka_init.differences import TopicsError
from kafka_init.settings import Settings
from kafka_init.topics import create_missing_topics

logger = logging.getLogger("kafka_init")


async def try_once(settings: Settings) -> list[str]:
    """The names of the topics created; KafkaError or TimeoutError if a second try may help, else TopicsError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_broker, request_timeout_ms=10_000)
    try:
        await admin.start()
        return await create_missing_topics(admin, settings.kafka_prefix)
    finally:
        await admin.close()


async def try_until_it_works(settings: Settings) -> list[str]:
    """`try_once` until no KafkaError or TimeoutError comes; after `broker_wait_seconds` the last one is raised."""
    deadline = monotonic() + settings.broker_wait_seconds
    while True:
        try:
            return await try_once(settings)
        except (KafkaError, TimeoutError) as error:
            if monotonic() > deadline:
                raise
            logger.info("not yet: %s", error)
        await asyncio.sleep(1)


def main() -> int:
    """The exit code: 0 if the broker has every topic, else 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    settings = settings_or_exit(Settings)
    try:
        created = asyncio.run(try_until_it_works(settings))
    except (KafkaError, TimeoutError, TopicsError) as error:
        logger.error("gave up on %s: %s", settings.kafka_broker, error)
        return 1
    logger.info("%s has every topic, %d of them new", settings.kafka_broker, len(created))
    return 0


if __name__ == "__main__":
    sys.exit(main())
