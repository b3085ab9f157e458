"""A FastAPI application with JSON logs, problem+json and a limit for bodies, and the server that runs it."""

import asyncio
import gc
import resource
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from types import FrameType
from typing import TypeAlias

import structlog
import uvicorn
from fastapi import FastAPI

from chassis import logs, problems
from chassis.connection import bounded
from chassis.edge import Application
from chassis.errors import ChassisError
from chassis.faults import INFRASTRUCTURE_ERRORS, reason_of
from chassis.settings import Settings

log = structlog.get_logger()

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]
GC_THRESHOLD = 50_000
"""Allocations between two looks of the garbage collector; messages are freed by counting."""

OTHER_FILES = 200
"""Open files that are no HTTP connections: to the database, to Kafka, of the process itself."""


def create(settings: Settings, lifespan: Lifespan) -> FastAPI:
    """The application: logs, problem+json errors, a limit on bodies; the lifespan adds the routes."""
    logs.configure(settings.service, settings.log_level)
    app = Application(settings, lifespan=_saying_why_not(lifespan))
    app.state.max_body_bytes = settings.max_body_bytes
    problems.install(app)
    return app


def _saying_why_not(lifespan: Lifespan) -> Lifespan:
    """With a line instead of a traceback if the service cannot start, and ending at once if it is told to meanwhile."""

    @asynccontextmanager
    async def lifespan_or_why_not(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                with _cancelled_by_signals():
                    await stack.enter_async_context(lifespan(app))
            except asyncio.CancelledError:
                log.warning("told to end before it had started")
            except (ChassisError, *INFRASTRUCTURE_ERRORS) as error:
                log.critical("cannot start", error=reason_of(error))
                signal.raise_signal(signal.SIGTERM)  # to uvicorn, which ends without a word about it
            except Exception as error:
                log.critical("cannot start", error=repr(error))
                raise
            yield

    return lifespan_or_why_not


@contextmanager
def _cancelled_by_signals() -> Iterator[None]:
    """Inside, SIGTERM and SIGINT also cancel this task: uvicorn itself would wait until the service has started."""
    if threading.current_thread() is not threading.main_thread():
        yield  # nobody else may listen to signals
        return
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def cancel(number: int, frame: FrameType | None) -> None:
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    for number in before:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM, then stop in order: requests, loops, connections."""
    # What was imported stays for ever: the garbage collector need not look at it again, and seldom at the rest.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    room = settings.model_copy(update={"http_max_connections": _room_for(settings.http_max_connections)})
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_keep_alive=settings.keep_alive_seconds,
        http=bounded(room),
        ws="none",
        workers=1,  # or uvicorn takes a WEB_CONCURRENCY of the shell or the platform, and ends
    )


def _room_for(connections: int) -> int:
    """As many connections, or what the system allows: each is an open file, of which others need some too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        log.warning("fewer open files are allowed than HTTP_MAX_CONNECTIONS needs", allowed=hard, wanted=wanted)
        wanted = hard
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return max(1, wanted - OTHER_FILES)
