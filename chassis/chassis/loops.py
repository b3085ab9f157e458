"""Background loops with an owner: when one dies the process dies, and whoever supervises it starts it again."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from time import monotonic

import structlog

from chassis.errors import LoopEnded

log = structlog.get_logger()

Loop = Callable[[], Coroutine[None, None, None]]


@asynccontextmanager
async def background(**loops: Loop) -> AsyncIterator[None]:
    """Run the named loops while the body runs; cancel them on the way out; SIGTERM ourselves if one dies."""
    of_the_body: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_for_ever(loop), name=name) for name, loop in loops.items()]
            try:
                yield
            except Exception as failure:
                of_the_body = failure
            finally:
                for task in tasks:
                    task.cancel()
    except* Exception as errors:
        for error in errors.exceptions:
            log.critical("a background loop died, ending the process", loops=list(loops), exc_info=error)
        signal.raise_signal(signal.SIGTERM)
    if of_the_body:
        raise of_the_body


async def _for_ever(loop: Loop) -> None:
    """A task group does not mind a task that returns, nor one that was cancelled by a library that it called."""
    try:
        await loop()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise LoopEnded("cancelled from within") from error
    raise LoopEnded("it returned")


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set or the time is over, whichever comes first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


@dataclass(slots=True)
class Backoff:
    """Growing pauses between tries: the first, twice that, ... up to the longest."""

    first_seconds: float = 0.1
    longest_seconds: float = 2.0
    tries: int = 0

    def next(self) -> float:
        """How many seconds the next pause takes; each call counts as a try."""
        seconds: float = min(self.first_seconds * 2 ** min(self.tries, 30), self.longest_seconds)
        self.tries += 1
        return seconds

    async def pause(self) -> None:
        """Sleep for the next pause."""
        await asyncio.sleep(self.next())

    def reset(self) -> None:
        """Forget past failures."""
        self.tries = 0


@dataclass(slots=True)
class Reminder:
    """When to say again what one waits for: at once, then after a second, two more, four more ..., or if it changes."""

    said: str = ""
    at: float = 0.0
    pause_seconds: float = 1.0

    def is_due(self, reason: str = "") -> bool:
        """Whether to say so now; whoever is told yes does."""
        now = monotonic()
        if self.at and reason == self.said and now < self.at:
            return False
        self.said, self.at = reason, now + self.pause_seconds
        self.pause_seconds *= 2
        return True


class NowAndThen:
    """For what lasts: said at once, and then once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._said: dict[Hashable, float] = {}

    def due(self, what: Hashable) -> bool:
        """Whether this is to be said now."""
        now = monotonic()
        due = now - self._said.get(what, -inf) >= self._seconds
        if due:
            self._said[what] = now
        return due
