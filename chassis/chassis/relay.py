"""The loop that publishes the outbox: from memory right after the commit, from the table after a crash or an outage."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog

from chassis import metrics, outbox
from chassis.crash import crash_point
from chassis.database import Pool
from chassis.errors import Overloaded
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.loops import background
from chassis.messages import Body, Message, by_type
from chassis.settings import Settings
from chassis.transport import Transport
from chassis.trouble import Trouble

log = structlog.get_logger()


class Lane:
    """The messages on their way through one transport, in order; a jam here holds up no other lane."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.queue: asyncio.Queue[Message] = asyncio.Queue()
        self.in_flight: set[UUID] = set()


class Relay:
    """Publishes what was committed and marks what was acknowledged. Runs on every replica; there is no leader."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        sends: Iterable[type[Body]],
        kafka: Transport,
        others: Mapping[str, Transport] = MappingProxyType({}),
    ) -> None:
        """`others` are the ways out for messages with these destinations; all else goes to Kafka."""
        self._pool = pool
        self._settings = settings
        self._sends: Mapping[str, type[Body]] = by_type(sends)
        self._kafka = Lane(kafka)
        self._lanes = {"kafka": self._kafka, **{name: Lane(transport) for name, transport in others.items()}}
        self._acknowledged: list[UUID] = []
        self._backlog = 0
        self._trouble = Trouble(pool, settings, "outbox")

    async def health(self) -> bool | str:
        """Whether the outbox can be looked after; if not, why."""
        return self._trouble.reason or True

    def admit(self) -> None:
        """`Overloaded` while more is unsent than may be: refuse new work, nothing that was accepted."""
        if self._backlog >= self._settings.backlog_max_messages:
            raise Overloaded(f"{self._backlog} messages wait to be sent")

    def publish(self, messages: list[Message]) -> None:
        """Send these soon. What does not fit, or fails, stays in the outbox for the sweep."""
        for message in messages:
            lane = self._lane(message.destination)
            if message.id in lane.in_flight or not self._room(lane):
                continue
            lane.in_flight.add(message.id)
            lane.queue.put_nowait(message)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All loops of the relay; on the way out, what is under way is sent and marked."""
        loops = {f"{name} connection": lane.transport.run for name, lane in self._lanes.items()}
        loops |= {f"{name} lane": partial(self._drive, lane) for name, lane in self._lanes.items()}
        async with background(outbox=self._tend, **loops):
            try:
                yield
            finally:
                for lane in self._lanes.values():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._settings.relay_drain_seconds):
                            await lane.queue.join()
        for lane in self._lanes.values():
            await lane.transport.close()
        await self._tick(rows=0)

    async def _drive(self, lane: Lane) -> None:
        while True:
            message = await lane.queue.get()
            crash_point("relay.before_send", [message.type])
            try:
                sent = await lane.transport.send(message)
            except Exception as error:
                self._landed(lane, message, error)
            else:
                sent.add_done_callback(partial(self._acknowledge, lane, message))
            lane.queue.task_done()

    def _acknowledge(self, lane: Lane, message: Message, done: "asyncio.Future[Any]") -> None:
        self._landed(lane, message, asyncio.CancelledError() if done.cancelled() else done.exception())

    def _landed(self, lane: Lane, message: Message, error: BaseException | None) -> None:
        lane.in_flight.discard(message.id)
        if error is None:
            crash_point("relay.acknowledged", [message.type])
            metrics.published.labels(message.destination).inc()
            self._acknowledged.append(message.id)
        else:
            log.warning(
                "not sent, the sweep will try again",
                type=message.type,
                destination=message.destination,
                saga_id=str(message.key),
                message_id=str(message.id),
                error=repr(error),
            )

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(self._settings.relay_tick_seconds)
            room = max(self._room(lane) for lane in self._lanes.values())
            await self._tick(min(self._settings.relay_sweep_rows, room))

    def _lane(self, destination: str) -> Lane:
        return self._lanes.get(destination, self._kafka)

    def _room(self, lane: Lane) -> int:
        return max(0, self._settings.relay_pending_max_messages - len(lane.in_flight))

    async def _tick(self, rows: int) -> None:
        """Mark what was acknowledged, and publish up to so many rows that nobody has in time.

        Marking may lag, or be lost: an unmarked message is sent again, and its receiver's inbox drops it.
        """
        settings = self._settings
        acknowledged = list(self._acknowledged)
        under_way = [message_id for lane in self._lanes.values() for message_id in lane.in_flight]
        destinations = {body.destination for body in self._sends.values()}
        full = [each for each in destinations if not self._room(self._lane(each))]
        lease = outbox.Lease(rows, settings.relay_lease_seconds, settings.relay_lease_max_seconds, under_way, full)
        try:
            self._backlog, due = await outbox.tend(
                self._pool, acknowledged, lease, self._sends, settings.backlog_max_messages
            )
        except INFRASTRUCTURE_ERRORS as error:
            await self._trouble.met(error)
            return
        self._trouble.over()
        del self._acknowledged[: len(acknowledged)]
        metrics.backlog.set(self._backlog)
        crash_point("relay.leased", [message.type for message in due])
        metrics.swept.inc(len(due))
        self.publish(due)
