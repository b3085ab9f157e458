"""The queue in front of a database: whatever is waiting becomes one transaction.

One message when idle, hundreds under load; the path is the same. Nothing inside one process races,
and between processes the versions of the rows decide.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic

import structlog

from chassis.database import Pool
from chassis.decider import Decider, Row
from chassis.errors import Overloaded, Unavailable
from chassis.faults import DOUBTFUL, INFRASTRUCTURE_ERRORS, fault_of, most_failures, reason_of
from chassis.loops import Backoff
from chassis.messages import Body, Message
from chassis.settings import Settings
from chassis.trouble import Trouble
from chassis.unit_of_work import Handled, UnitOfWork

log = structlog.get_logger()

ASKED = 2
"""Messages of a batch that are tried alone to learn whether its fault is everybody's."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Row]):
    """A message in the queue. A patient one outlives an outage of the database; an impatient one is refused at once."""

    message: Message
    future: "asyncio.Future[Handled[Row]]"
    patient: bool


class Batcher(Generic[Row]):
    """Takes what waits as one unit of work; hands each submitter its own result or its own error."""

    def __init__(
        self,
        pool: Pool,
        decider: Decider[Row],
        settings: Settings,
        sends: Iterable[type[Body]] = (),
        publish: Callable[[list[Message]], None] = lambda _: None,
        committed: Callable[[list[Row]], None] = lambda _: None,
    ) -> None:
        self._unit = UnitOfWork(pool, decider, settings, sends, publish, committed)
        self._settings = settings
        self._queue: list[Waiting[Row]] = []
        self._put_back: list[Waiting[Row]] = []
        self._work = asyncio.Event()
        self._last_size = 0
        self._pausing = False
        self._wants_witness = False
        """Whether what waits is one message, whose fault it is unless another one fails too."""
        self._backoff = Backoff()
        self._trouble = Trouble(pool, settings, "messages")

    async def health(self) -> bool | str:
        """Whether messages can be handled; if not, why."""
        if (reason := self._trouble.reason) is not None:
            return reason
        try:
            await self._unit.look()
        except INFRASTRUCTURE_ERRORS as error:
            return reason_of(error)
        return True

    def put(self, message: Message) -> "asyncio.Future[Handled[Row]]":
        """Queue a message that must be handled, however long that takes; the future gets its outcome."""
        return self._enqueue(message, patient=True)

    async def submit(self, message: Message) -> Handled[Row]:
        """Queue a message of somebody who can be told to come back: `Overloaded`, `Unavailable`."""
        if len(self._queue) >= self._settings.queue_max_messages:
            raise Overloaded("the queue is full")
        if self._pausing and not self._wants_witness:
            raise Unavailable("the database is away")
        try:
            async with asyncio.timeout(self._settings.submit_max_seconds):
                return await self._enqueue(message, patient=False)
        except TimeoutError as error:
            raise Unavailable("the database does not answer") from error

    async def run(self) -> None:
        """Take what waits, for ever."""
        while True:
            await self._work.wait()
            if self._more_would_pay():
                await asyncio.sleep(self._settings.batch_window_ms / 1000)
            batch = self._queue[: self._settings.batch_max_messages]
            del self._queue[: len(batch)]
            if not self._queue:
                self._work.clear()
            self._last_size = len(batch)
            await self._handle(batch)
            if self._pausing:
                await self._pause()

    def _enqueue(self, message: Message, *, patient: bool) -> "asyncio.Future[Handled[Row]]":
        future: asyncio.Future[Handled[Row]] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(message, future, patient))
        self._work.set()
        return future

    def _more_would_pay(self) -> bool:
        """Whether a moment's wait makes the batch larger by much: much is going on, and little of it is here yet."""
        settings = self._settings
        return self._last_size >= settings.batch_busy_messages and len(self._queue) < settings.batch_enough_messages

    async def _handle(self, batch: list[Waiting[Row]], *, others_work: bool = False) -> None:
        reload, failures = False, Counter[type[Exception]]()
        while batch := [waiting for waiting in batch if not waiting.future.done()]:
            if self._pausing:
                self._put_back += batch
                return
            try:
                results = await self._unit.handle([waiting.message for waiting in batch], reload=reload)
            except Exception as error:
                if reload:  # a first failure may be memory's: it is decided again on what is stored
                    failures[type(error)] += 1
                most = most_failures(error, len(batch), others_work, self._settings)
                if most is None:
                    await self._wait(batch, error)
                    return
                if failures[type(error)] >= most:
                    await self._divide(batch, error, others_work)
                    return
            else:
                self._deliver(batch, results)
            reload = True

    async def _wait(self, batch: list[Waiting[Row]], error: Exception) -> None:
        """The database cannot be used: whoever can come back is told so, the others are next when it can."""
        await self._trouble.met(error)
        for waiting in batch:
            if not waiting.patient:
                _fail(waiting, Unavailable("the database is away"))
        self._put_back += [waiting for waiting in batch if not waiting.future.done()]
        self._wants_witness = len(batch) == 1 and fault_of(error) in DOUBTFUL
        self._pausing = True

    async def _pause(self) -> None:
        await self._backoff.pause()
        self._queue[:0] = self._put_back
        self._put_back.clear()
        self._pausing = False  # the next to come is let through, and finds out
        if self._queue:
            self._work.set()

    async def _divide(self, batch: list[Waiting[Row]], error: Exception, others_work: bool) -> None:
        """A batch with a bad message in it, or too large for its timeout: by halves, so that only the bad one fails."""
        if len(batch) == 1:
            _fail(batch[0], error)
            return
        if fault_of(error) in DOUBTFUL and not others_work:
            others_work = await self._one_works(batch)
            if not others_work:
                await self._wait(batch, error)
                return
        middle = len(batch) // 2
        await self._handle(batch[:middle], others_work=others_work)
        await self._handle(batch[middle:], others_work=others_work)

    async def _one_works(self, batch: list[Waiting[Row]]) -> bool:
        """Whether one of them does, alone, and is done with; drawn, so that at some time each is asked."""
        for waiting in random.sample(batch, ASKED):
            try:
                results = await self._unit.handle([waiting.message], reload=True)
            except Exception as error:
                log.debug("does not work alone either", message_id=waiting.message.id, error=repr(error))
            else:
                self._deliver([waiting], results)
                return True
        return False

    def _deliver(self, batch: list[Waiting[Row]], results: list[Handled[Row]]) -> None:
        self._backoff.reset()
        self._trouble.over()
        for waiting, handled in zip(batch, results, strict=True):
            message = waiting.message
            log.debug(
                "handled", type=message.type, saga_id=message.key, message_id=message.id, trace=message.traceparent
            )
            if not waiting.future.done():
                waiting.future.set_result(handled)


def _fail(waiting: Waiting[Row], error: Exception) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
