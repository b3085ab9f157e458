"""Messages that cannot be handled: off to a retry topic with a growing delay, then to the dead letters.

The partition goes on at once, and nothing is lost: its offset is committed only after the broker has the copy. While no
topic takes the copy it waits in memory, and nobody waits for it.
After "non-blocking retries" as Uber described them (Ning Xia, 2018).
"""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import UnknownTopicOrPartitionError

from chassis import metrics
from chassis.copies import LONGEST_HEADER, Copy, Form, Identity, identity_of, place_of
from chassis.crash import crash_point
from chassis.database import Pool
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.loops import Backoff, NowAndThen
from chassis.refusals import UNFIT
from chassis.settings import Settings
from chassis.transport import KafkaTransport
from chassis.trouble import Trouble

log = structlog.get_logger()

NOW_MS: Final = "select (extract(epoch from clock_timestamp()) * 1000)::bigint"


@dataclass(slots=True, eq=False)
class Parking:
    """A copy under way, and what speaks against it; `stage` is where it is, or will be."""

    stage: int
    size: int
    topic: str
    why: str = ""
    done: "asyncio.Task[None]" = field(init=False)
    """When the broker has the copy."""

    @property
    def failed(self) -> bool:
        """Given up, as the process was about to end."""
        return self.done.done() and (self.done.cancelled() or self.done.exception() is not None)


class Retries:
    """Where the records go that one service could not handle."""

    def __init__(self, kafka: KafkaTransport, pool: Pool, settings: Settings) -> None:
        self._kafka = kafka
        self._pool = pool
        self._settings = settings
        self.delays = {f"{settings.service}.retry.{name}": s for name, s in settings.retry_delays_seconds.items()}
        """Topic -> how many seconds its records wait."""
        self._stages = (*self.delays, f"{settings.service}.dlq")
        kafka.will_write(self._stages)
        self._known: OrderedDict[Identity, Parking] = OrderedDict()
        """The parked ones too."""
        self._waiting: set[Parking] = set()
        self._loud = NowAndThen(settings.trouble_said_seconds)
        self._trouble = Trouble(pool, settings, "the clock of retries")

    @property
    def full(self) -> bool:
        """Whether so much waits for its topic that no more of it should be read."""
        most, most_bytes = self._settings.unparked_max_messages, self._settings.unparked_max_bytes
        return len(self._waiting) >= most or sum(each.size for each in self._waiting) >= most_bytes

    def faults(self) -> list[str]:
        """A line for each topic that takes no copies, and why."""
        found = Counter((each.topic, each.why) for each in self._waiting if each.why)
        return [f"{topic} takes no copies, {count} wait: {why}" for (topic, why), count in sorted(found.items())]

    async def now_ms(self) -> int:
        """The database's clock: delays are measured by it, since the replicas' own clocks may differ by minutes."""
        backoff = Backoff()
        while True:
            try:
                now: int = await self._pool.fetchval(NOW_MS)
            except INFRASTRUCTURE_ERRORS as error:
                await self._trouble.met(error)
                await backoff.pause()
            else:
                self._trouble.over()
                return now

    def park(self, record: ConsumerRecord, error: BaseException) -> "asyncio.Future[None]":
        """Begin to copy the record to where its next try, or its end, is; done when the broker has it.

        A message that is parked already is not parked again, only because somebody has sent it again.
        """
        copy = Copy.of(record, error, self._stages)
        known = self._known.get(copy.identity)
        if known and known.stage >= copy.stage and not known.failed:
            metrics.copies.labels(copy.topic).inc()
            log.info("parked already", message_id=str(copy.message_id), reason=repr(error), **place_of(record))
            return known.done
        self._known[copy.identity] = parking = Parking(copy.stage, copy.size, copy.topic)
        self._known.move_to_end(copy.identity)
        if len(self._known) > self._settings.parked_remembered_messages:
            self._known.popitem(last=False)
        parking.done = asyncio.create_task(self._deliver(copy, parking))
        return parking.done

    def handled(self, record: ConsumerRecord) -> None:
        """Should it come and fail again, that is another story."""
        if self._known:
            self._known.pop(identity_of(record, self._stages), None)

    async def settle(self, seconds: float) -> None:
        """Wait a moment for what is under way without trouble."""
        if under_way := [each.done for each in self._waiting if not each.why]:
            await asyncio.wait(under_way, timeout=seconds)

    def close(self) -> None:
        """What is not parked comes again: its offset was not committed."""
        for each in self._waiting:
            each.done.cancel()

    async def _deliver(self, copy: Copy, parking: Parking) -> None:
        self._waiting.add(parking)
        metrics.unparked.labels(copy.topic).inc()
        try:
            form = await self._until_taken(copy, parking)
        finally:
            self._waiting.discard(parking)
            metrics.unparked.labels(copy.topic).dec()
        crash_point("retry.parked", [form.topic])
        parking.stage = self._stages.index(form.topic) + 1
        metrics.parked.labels(form.topic).inc()
        if form.is_cut:
            metrics.cut.labels(form.topic).inc()
        reason, attempt = copy.headers["error"][:LONGEST_HEADER], copy.headers["attempt"]
        log.error("message parked", topic=form.topic, reason=reason, attempt=attempt, **place_of(copy.record))

    async def _until_taken(self, copy: Copy, parking: Parking) -> Form:
        """Whole or cut down; however long it takes."""
        backoff = Backoff(longest_seconds=self._settings.unparked_retry_seconds)
        while True:
            for form in copy.forms():
                try:
                    await self._write(form, alone=backoff.tries > 0)
                except Exception as error:
                    self._complain(copy, parking, form, error)
                    if not (isinstance(error, UNFIT) and backoff.tries):  # or perhaps another in its batch was unfit
                        break
                else:
                    return form
            await backoff.pause()

    async def _write(self, form: Form, *, alone: bool) -> None:
        at_ms = await self.now_ms() if form.topic in self.delays else None
        sent = await self._kafka.produce(form.topic, form.key, form.value, form.headers, at_ms, alone=alone)
        await asyncio.shield(sent)

    def _complain(self, copy: Copy, parking: Parking, form: Form, error: Exception) -> None:
        missing = isinstance(error, UnknownTopicOrPartitionError)
        parking.why = "the topic is missing" if missing else f"{type(error).__name__}: {error}"
        if self._loud.due(form.topic):
            log.error(
                "a topic of failures takes no copy, which waits in memory now; nothing waits for it",
                topic=form.topic,
                reason=parking.why,
                waiting=len(self._waiting),
                **place_of(copy.record),
            )
