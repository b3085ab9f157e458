"""Wires the orchestrator: HTTP and Kafka in, a batcher in front of the database, Kafka and HTTP out by the outbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
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
from saga_orchestrator import api, dashboard, handlers, operator
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.deadlines import Deadlines
from saga_orchestrator.definitions import Definitions
from saga_orchestrator.handlers import Checkout, Checkouts
from saga_orchestrator.messages import READS, SENDS, CreateOrder, PaymentCharged
from saga_orchestrator.order_client import OrderClient
from saga_orchestrator.settings import Settings
from saga_orchestrator.waiters import Waiters


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Everything that lives as long as the process, outermost first: the innermost stops first."""
    async with database.connect(settings, files("saga_orchestrator") / "migrations") as pool:
        definitions = Definitions(CHECKOUT.scaled(settings.step_timeout_scale), pool, settings)
        await definitions.start()
        by_http = CreateOrder.destination
        kafka = KafkaTransport(settings, {body.destination for body in SENDS} - {by_http})
        # The replies of this client go to the batcher, whose messages go to the relay, which calls the client.
        orders = OrderClient(settings, submit=lambda reply: batcher.put(reply))
        relay = Relay(pool, settings, SENDS, kafka, {by_http: orders})
        waiters = Waiters(pool, settings)

        def committed(rows: list[Checkout]) -> None:
            waiters.resolve(row.saga for row in rows)
            handlers.note(rows)

        batcher = Batcher(pool, Checkouts(definitions), settings, SENDS, relay.publish, committed)
        deadlines = Deadlines(batcher, pool, settings)
        consumer = Consumer(batcher, settings, READS, Retries(kafka, pool, settings))
        loops = background(
            batcher=batcher.run,
            waiters=waiters.run,
            deadlines=deadlines.run,
            definitions=definitions.run,
            watchdog=Watchdog(consumer, settings).run,
            housekeeping=Housekeeping(pool, settings).run,
        )
        comes_here = partial(consumer.will_read, PaymentCharged.destination)  # as the replies on every other topic
        stores = health.both(batcher.health, relay.health)
        async with relay.running(), loops, consumer.running():
            app.include_router(api.routes(batcher, waiters, pool, settings, relay.admit, comes_here))
            app.include_router(operator.routes(batcher, settings))
            app.include_router(dashboard.routes(pool, definitions))
            app.include_router(health.routes(database=stores, broker=kafka.answers, consumer=consumer.health))
            yield


settings = settings_or_exit(Settings)
app = application.create(settings, lifespan)

if __name__ == "__main__":
    application.serve(app, settings)
