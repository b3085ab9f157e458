"""The retry topics: a record there is not handed out before its delay is over."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.kafka import Polled
from chassis.retries import Retries
from chassis.settings import Settings


class Delays:
    """Looks at what was polled."""

    def __init__(self, retries: Retries, settings: Settings) -> None:
        self._retries = retries
        self._seconds = {settings.kafka_prefix + topic: seconds for topic, seconds in retries.delays.items()}

    async def without_early(self, kafka: AIOKafkaConsumer, polled: Polled) -> Polled:
        """Put back the records of retry topics whose delay is not over; their partition rests until it is."""
        delayed = {partition for partition in polled if partition.topic in self._seconds}
        now_ms = await self._retries.now_ms() if delayed else 0
        due = {partition: records for partition, records in polled.items() if partition not in delayed}
        for partition in delayed & kafka.assignment():
            records, delay_ms = polled[partition], self._seconds[partition.topic] * 1000
            rest_ms = [record.timestamp + delay_ms - now_ms for record in records]
            # Stamped in the future, so by no clock of ours: it goes first, or it would hold up all behind it.
            rest_ms = [0 if rest > delay_ms else rest for rest in rest_ms]
            ready = next((i for i, rest in enumerate(rest_ms) if rest > 0), len(records))
            if ready < len(records):
                kafka.seek(partition, records[ready].offset)
                kafka.pause(partition)
                asyncio.get_running_loop().call_later(rest_ms[ready] / 1000, _resume, kafka, partition)
            if ready:
                due[partition] = records[:ready]
        return due


def _resume(kafka: AIOKafkaConsumer, partition: TopicPartition) -> None:
    if partition in kafka.assignment():
        kafka.resume(partition)
