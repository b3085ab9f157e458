"""The services as their main modules wire them."""

import asyncio
from importlib import import_module

import pytest
from fastapi import FastAPI

from chassis import logs
from chassis.settings import Settings

ORDER = {"batcher", "housekeeping"}
PARTICIPANT = ORDER | {"consumer", "watchdog", "outbox", "kafka connection", "kafka lane"}
ORCHESTRATOR = PARTICIPANT | {"deadlines", "waiters", "order-service connection", "order-service lane"}


@pytest.mark.parametrize(
    ("service", "loops"),
    [
        ("order_service", ORDER),
        ("payment_service", PARTICIPANT),
        ("inventory_service", PARTICIPANT),
        ("saga_orchestrator", ORCHESTRATOR),
    ],
)
async def test_a_service_runs_all_its_loops(
    service: str, loops: set[str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # of the whole process, in which other tests read logs
    main = import_module(f"{service}.main")
    monkeypatch.setattr(main, "settings", main.Settings(**settings.model_dump()))
    async with main.lifespan(FastAPI()):
        assert loops <= {task.get_name() for task in asyncio.all_tasks()}
