"""A FastAPI application with the chassis's manners, and the server that runs it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import uvicorn
from fastapi import FastAPI

from chassis import logs, problems
from chassis.settings import Settings


def create(settings: Settings, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """The application: logs, problem+json errors, a limit on bodies; the lifespan adds the routes."""
    logs.configure(settings.service, settings.log_level)
    app = FastAPI(title=settings.service, lifespan=lifespan)
    app.state.max_body_bytes = settings.max_body_bytes
    problems.install(app)
    return app


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM, then stop in order: requests, loops, connections."""
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
