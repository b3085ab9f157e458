"""Records that cannot be handled: kept with place and reason, so that the partition goes on and nothing is lost."""

from uuid import UUID

import structlog
from aiokafka import ConsumerRecord

from chassis.database import INFRASTRUCTURE_ERRORS, Pool
from chassis.loops import Backoff
from chassis.settings import Settings

log = structlog.get_logger()

INSERT = """
insert into rejected_messages (topic, partition_number, record_offset, message_id, reason, key, value)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"""


async def reject(
    pool: Pool, record: ConsumerRecord, message_id: UUID | None, error: BaseException, settings: Settings
) -> None:
    """Keep the record in `rejected_messages`; wait for the database if it is away."""
    place = (record.topic, record.partition, record.offset)
    reason = f"{type(error).__name__}: {error}"[:2000].replace("\0", "\\0")
    log.error("message rejected", topic=place[0], partition=place[1], offset=place[2], reason=reason)
    backoff = Backoff(settings.retry_first_seconds, settings.retry_max_seconds)
    while True:
        try:
            await pool.execute(INSERT, *place, message_id, reason, record.key, record.value)
        except INFRASTRUCTURE_ERRORS:
            await backoff.pause()
        else:
            return
