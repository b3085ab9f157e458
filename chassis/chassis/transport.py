"""The ways out of a process: what the relay needs of one, and the one to Kafka."""

import asyncio
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from chassis import kafka
from chassis.loops import Backoff, wait_for
from chassis.messages import Message
from chassis.records import headers_of
from chassis.settings import Settings

log = structlog.get_logger()


class Transport(Protocol):
    """A way out of the process."""

    async def run(self) -> None:
        """Stay connected, for ever."""

    async def send(self, message: Message) -> "asyncio.Future[Any]":
        """Hand over one message; wait while the way is jammed. The future is the receiver's acknowledgement."""

    async def close(self) -> None:
        """Send what was handed over, in bounded time."""


class KafkaTransport:
    """A producer that is rebuilt when it breaks; what it lost is still in the outbox."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._ready = asyncio.Event()
        self._broken = asyncio.Event()

    async def answers(self) -> bool:
        """Whether the broker answers now."""
        try:
            return self._producer is not None and bool(await self._producer.client.fetch_all_metadata())
        except kafka.BROKER_ERRORS:
            return False

    async def run(self) -> None:
        """Keep a working producer, for ever."""
        backoff = Backoff()
        while True:
            producer = kafka.producer(self._settings)
            try:
                # aiokafka tries for ever if the first answer, from a broker that had just begun, named no broker.
                async with asyncio.timeout(self._settings.kafka_start_seconds):
                    await producer.start()
            except kafka.BROKER_ERRORS as error:
                log.warning("waiting for the broker", broker=self._settings.kafka_broker, error=repr(error))
                await kafka.stop(producer, self._settings.kafka_stop_seconds)
                await backoff.pause()
                continue
            backoff.reset()
            self._producer = producer
            self._broken.clear()
            self._ready.set()
            while not self._broken.is_set() and not kafka.dead_part(producer, self._settings):
                await wait_for(self._broken, self._settings.stuck_check_seconds)
            log.warning("the producer broke, building a new one")
            await self.close()

    async def send(self, message: Message) -> "asyncio.Future[Any]":
        """Hand the message to the producer; the future is the broker's acknowledgement, from all replicas."""
        body = message.body.to_json().encode()
        return await self.produce(message.destination, str(message.key).encode(), body, headers_of(message))

    async def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
        timestamp_ms: int | None = None,
    ) -> "asyncio.Future[Any]":
        """The same for any record; without a timestamp it gets that of this process's clock."""
        while (producer := self._producer) is None:
            await self._ready.wait()
        try:
            # aiokafka forgets whoever waits for metadata while it is stopped.
            async with asyncio.timeout(self._settings.kafka_send_seconds):
                sent: asyncio.Future[Any] = await producer.send(
                    topic, key=key, value=value, headers=headers, timestamp_ms=timestamp_ms
                )
        except kafka.BROKER_ERRORS as error:
            self._check(producer, error)
            raise
        sent.add_done_callback(lambda done: self._check(producer, done.cancelled() or done.exception()))
        return sent

    async def close(self) -> None:
        """Flush and stop; what takes longer than the setting is given up, and is still in the outbox."""
        self._ready.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            await kafka.stop(producer, self._settings.kafka_stop_seconds)

    def _check(self, producer: AIOKafkaProducer, error: object) -> None:
        """An error that is not worth a retry may have killed the sender inside the producer; a full buffer has not."""
        harmless = getattr(error, "retriable", False) or isinstance(error, KafkaTimeoutError | TimeoutError)
        if isinstance(error, Exception) and not harmless and producer is self._producer:
            self._broken.set()
