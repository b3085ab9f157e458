"""A saga on its way, and ways to see where it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.support.databases import Databases


async def begin(http: httpx.AsyncClient, user: str) -> str:
    """The id of a saga that will succeed if it is let."""
    body = {"userId": user, "totalAmount": 19.99, "forcePaymentFail": False, "forceInventoryFail": False}
    answer = await http.post("/checkout", json=body, headers={"Prefer": "respond-async"})
    saga_id: str = answer.raise_for_status().json()["sagaId"]
    return saga_id


async def saga_of(http: httpx.AsyncClient, saga_id: str) -> dict[str, Any]:
    saga: dict[str, Any] = (await http.get(f"/sagas/{saga_id}")).raise_for_status().json()
    return saga


async def assert_step(http: httpx.AsyncClient, saga_id: str, step: str) -> None:
    found = await saga_of(http, saga_id)
    assert found["step"] == step, f"{saga_id} is {found['status']} at {found['step']}"


async def hold(databases: Databases, *saga_ids: str) -> None:
    """No deadline heals these sagas for as long as a test takes: whatever moves them on is what the test does."""
    await databases.orchestrator.execute(
        "update sagas set deadline = now() + interval '280 seconds' where saga_id = any($1) and deadline is not null",
        list(saga_ids),
    )


@asynccontextmanager
async def refused_by_the_database(databases: Databases, saga_id: str) -> AsyncIterator[None]:
    """Inside this block the orchestrator cannot write down that this saga's payment is charged."""
    what = f"not (saga_id = '{saga_id}' and type = 'PaymentCharged')"
    await databases.orchestrator.execute(f"alter table saga_events add constraint refused check ({what}) not valid")
    yield
    await databases.orchestrator.execute("alter table saga_events drop constraint refused")
