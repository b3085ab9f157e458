"""Ends the process when its consumer stands still with lag: aiokafka can go silent after a rejoin (its issue #1154)."""

import asyncio
from time import monotonic

import structlog

from chassis.consumer import Consumer
from chassis.errors import ConsumerStuck
from chassis.kafka import BROKER_ERRORS
from chassis.settings import Settings

log = structlog.get_logger()


class Watchdog:
    """Compares what the broker has with what was handled."""

    def __init__(self, consumer: Consumer, settings: Settings) -> None:
        self._consumer = consumer
        self._settings = settings

    async def run(self) -> None:
        """Look once a tick, for ever; an idle consumer without lag is well."""
        lag_since: float | None = None
        while True:
            await asyncio.sleep(self._settings.stuck_check_seconds)
            if not await self._lags():
                lag_since = None
                continue
            lag_since = lag_since or monotonic()
            still_since = max(lag_since, self._consumer.progress_at)
            if monotonic() - still_since > self._settings.stuck_after_seconds:
                raise ConsumerStuck(f"lag and no progress for {self._settings.stuck_after_seconds:.0f} s")

    async def _lags(self) -> bool:
        """Whether the broker has records for us that we could handle now but have not even fetched."""
        kafka = self._consumer.kafka
        if kafka is None or self._consumer.busy:
            return False
        awake = kafka.assignment() - kafka.paused()
        try:
            async with asyncio.timeout(self._settings.commit_timeout_seconds):
                ends = await kafka.end_offsets(awake) if awake else {}
        except (*BROKER_ERRORS, TimeoutError) as error:
            log.warning("cannot measure the lag now", error=repr(error))
            return False
        try:
            async with asyncio.timeout(self._settings.commit_timeout_seconds):
                return any([end > await kafka.position(partition) for partition, end in ends.items()])
        except TimeoutError:
            return True  # a partition without a position, though the broker answers, is read by nobody
        except BROKER_ERRORS:
            return False
