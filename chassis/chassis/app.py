"""A FastAPI application with JSON logs, problem+json and a limit for bodies, and the server that runs it."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import structlog
import uvicorn
from fastapi import FastAPI

from chassis import logs, problems
from chassis.settings import Settings

log = structlog.get_logger()

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]
GC_THRESHOLD = 50_000
"""Allocations between two looks of the garbage collector; messages are freed by counting."""


def create(settings: Settings, lifespan: Lifespan) -> FastAPI:
    """The application: logs, problem+json errors, a limit on bodies; the lifespan adds the routes."""
    logs.configure(settings.service, settings.log_level)
    app = FastAPI(title=settings.service, lifespan=_saying_why_not(lifespan))
    app.state.max_body_bytes = settings.max_body_bytes
    problems.install(app)
    return app


def _saying_why_not(lifespan: Lifespan) -> Lifespan:
    """With a short line in front of the traceback if the service cannot start."""

    @asynccontextmanager
    async def lifespan_or_why_not(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(lifespan(app))
            except Exception as error:
                log.critical("cannot start", error=repr(error))
                raise
            yield

    return lifespan_or_why_not


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM, then stop in order: requests, loops, connections."""
    # What was imported stays for ever: the garbage collector need not look at it again, and seldom at the rest.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_keep_alive=settings.keep_alive_seconds,
    )
