"""Wires the inventory service: Kafka in, a batcher in front of the database, Kafka out through the outbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import FastAPI

from chassis import app as application
from chassis import database, health
from chassis.batcher import Batcher
from chassis.consumer import Consumer
from chassis.environment import settings_or_exit
from chassis.housekeeping import Housekeeping
from chassis.loops import background
from chassis.relay import Relay
from chassis.retries import Retries
from chassis.transport import KafkaTransport
from chassis.watchdog import Watchdog
from inventory_service import api
from inventory_service.handlers import Reservations
from inventory_service.messages import READS, SENDS
from inventory_service.settings import Settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Everything that lives as long as the process, outermost first: the innermost stops first."""
    async with database.connect(settings, files("inventory_service") / "migrations") as pool:
        kafka = KafkaTransport(settings, [body.destination for body in SENDS])
        relay = Relay(pool, settings, SENDS, kafka)
        batcher = Batcher(pool, Reservations(settings.inventory_failure_rate), settings, SENDS, relay.publish)
        consumer = Consumer(batcher, settings, READS, Retries(kafka, pool, settings))
        loops = background(
            batcher=batcher.run,
            watchdog=Watchdog(consumer, settings).run,
            housekeeping=Housekeeping(pool, settings).run,
        )
        stores = health.both(batcher.health, relay.health)
        async with relay.running(), loops, consumer.running():
            app.include_router(api.routes(pool))
            app.include_router(health.routes(database=stores, broker=kafka.answers, consumer=consumer.health))
            yield


settings = settings_or_exit(Settings)
app = application.create(settings, lifespan)

if __name__ == "__main__":
    application.serve(app, settings)
