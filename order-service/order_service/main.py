"""Wires the order service: a batcher in front of the database, HTTP in front of the batcher."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import FastAPI

from chassis import app as application
from chassis import database, health
from chassis.batcher import Batcher
from chassis.environment import settings_or_exit
from chassis.housekeeping import Housekeeping
from chassis.loops import background
from order_service import api, batch
from order_service.handlers import Orders
from order_service.settings import Settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Everything that lives as long as the process, outermost first."""
    async with database.connect(settings, files("order_service") / "migrations") as pool:
        batcher = Batcher(pool, Orders(), settings)
        async with background(batcher=batcher.run, housekeeping=Housekeeping(pool, settings).run):
            app.include_router(api.routes(batcher, pool))
            app.include_router(batch.routes(batcher))
            app.include_router(health.routes(database=batcher.health))
            yield


settings = settings_or_exit(Settings)
app = application.create(settings, lifespan)

if __name__ == "__main__":
    application.serve(app, settings)
