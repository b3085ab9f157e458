"""Messages that cannot be handled: off to a retry topic with a growing delay, then to the dead letters.

The partition goes on at once, and nothing is lost: the offset is committed only after the broker has the copy.
After "non-blocking retries" as Uber described them (Ning Xia, 2018).
"""

from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka import ConsumerRecord

from chassis import metrics
from chassis.crash import crash_point
from chassis.database import Pool
from chassis.errors import Hopeless
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.kafka import BROKER_ERRORS
from chassis.loops import Backoff
from chassis.records import count_in, header_texts, message_id_of, saga_id_of
from chassis.settings import Settings
from chassis.transport import KafkaTransport

log = structlog.get_logger()

LONGEST_HEADER: Final = 1000
"""In characters; a copy with its headers must fit into the topics of failures, whatever a stranger has sent."""
KEPT: Final = ("message-type", "causation-id", "traceparent", "redrives")
NOW_MS: Final = "select (extract(epoch from clock_timestamp()) * 1000)::bigint"


class Retries:
    """Where the records go that one service could not handle."""

    def __init__(self, kafka: KafkaTransport, pool: Pool, settings: Settings) -> None:
        self._kafka = kafka
        self._pool = pool
        self._settings = settings
        self.delays = {f"{settings.service}.retry.{name}": s for name, s in settings.retry_delays_seconds.items()}
        """Topic -> how many seconds its records wait."""

    async def now_ms(self) -> int:
        """The database's clock: delays are measured by it, since the replicas' own clocks may differ by minutes."""
        backoff = Backoff()
        while True:
            try:
                now: int = await self._pool.fetchval(NOW_MS)
            except INFRASTRUCTURE_ERRORS as error:
                log.warning("cannot read the clock yet, the database is away", error=repr(error))
                await backoff.pause()
            else:
                return now

    async def park(self, record: ConsumerRecord, error: BaseException) -> None:
        """Copy the record to where its next try, or its end, is; waits while the broker is away."""
        headers = header_texts(record)
        earlier: dict[str, str] = headers if record.topic in self.delays else {}
        attempt = count_in(earlier, "attempt") + 1
        topics = [] if isinstance(error, Hopeless) else list(self.delays)
        topic = topics[attempt - 1] if attempt <= len(topics) else f"{self._settings.service}.dlq"
        reason = f"{type(error).__name__}: {error}".replace("\0", "\\0")
        new = {
            "original-topic": earlier.get("original-topic", record.topic),
            "original-partition": earlier.get("original-partition", str(record.partition)),
            "original-offset": earlier.get("original-offset", str(record.offset)),
            "message-id": str(message_id_of(record, headers)),
            "attempt": str(attempt),
            "error": reason,
            "failed-at": datetime.now(UTC).isoformat(timespec="milliseconds"),  # noqa: TID251 -- for people
        } | {name: headers[name] for name in KEPT if name in headers}
        await self._produce(topic, record, [(name, value[:LONGEST_HEADER].encode()) for name, value in new.items()])
        crash_point("retry.parked", [topic])
        metrics.parked.labels(topic).inc()
        log.error("message parked", topic=topic, reason=reason[:LONGEST_HEADER], attempt=attempt, **_place(record))

    async def _produce(self, topic: str, record: ConsumerRecord, headers: list[tuple[str, bytes]]) -> None:
        at_ms = await self.now_ms() if topic in self.delays else None
        backoff = Backoff()
        while True:
            try:
                await (await self._kafka.produce(topic, record.key, record.value or b"", headers, at_ms))
            except BROKER_ERRORS as error:
                log.warning("could not park a message yet", topic=topic, error=repr(error), **_place(record))
                await backoff.pause()
            else:
                return


def _place(record: ConsumerRecord) -> dict[str, str | int]:
    saga_id = str(saga_id_of(record.key, record.value) or (record.key or b"").decode(errors="replace"))
    place = {"from_topic": record.topic, "partition": record.partition, "offset": record.offset}
    return {"saga_id": saga_id[:LONGEST_HEADER]} | place
