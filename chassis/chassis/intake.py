"""What becomes of the records of a poll: each is handled, or on its way to the topics of failures."""

import asyncio
from collections.abc import Mapping
from typing import Generic

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from chassis.batcher import Batcher
from chassis.crash import crash_point
from chassis.decider import Row
from chassis.kafka import Polled
from chassis.messages import Body
from chassis.positions import Positions
from chassis.records import from_record
from chassis.retries import Retries

log = structlog.get_logger()


class Intake(Generic[Row]):
    """In front of one batcher."""

    def __init__(
        self, batcher: Batcher[Row], reads: Mapping[str, type[Body]], retries: Retries, positions: Positions
    ) -> None:
        self._batcher = batcher
        self._reads = reads
        self._retries = retries
        self._positions = positions

    async def handle(self, polled: Polled) -> None:
        """All at once; done when each was handled, or is held until it is parked."""
        taken = [self._take(partition, record) for partition, records in polled.items() for record in records]
        types = await asyncio.gather(*taken)
        crash_point("consumer.before_offset_commit", types)

    async def _take(self, partition: TopicPartition, record: ConsumerRecord) -> str:
        """Have one record handled, or begin to park it; the type of its message, if it is one."""
        name = ""
        try:
            message = from_record(record, self._reads)
            name = message.type
            await self._batcher.put(message)
        except Exception as error:
            self._hold(partition, record.offset, self._retries.park(record, error))
        else:
            self._retries.handled(record)
        return name

    def _hold(self, partition: TopicPartition, offset: int, parked: "asyncio.Future[None]") -> None:
        """Not past this record, until it is parked: nobody waits for it, and it is not lost."""

        def safe(done: "asyncio.Future[None]") -> None:
            if done.cancelled():
                return
            if error := done.exception():
                log.critical("a record cannot be parked, nothing behind it is committed", exc_info=error, offset=offset)
            else:
                self._positions.release(partition, offset)

        self._positions.hold(partition, offset)
        parked.add_done_callback(safe)
