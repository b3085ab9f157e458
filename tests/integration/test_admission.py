"""What becomes of a checkout that is not admitted."""

import httpx
from fastapi import FastAPI

from chassis.database import Pool
from chassis.errors import Overloaded
from chassis.problems import install
from saga_orchestrator import api
from saga_orchestrator.settings import Settings
from saga_orchestrator.waiters import Waiters
from tests.integration.checkouts import replica


def refuse() -> None:
    raise Overloaded("too much is unsent")


async def test_a_checkout_that_is_not_admitted_is_told_so_and_never_begins(sagas: Pool, settings: Settings) -> None:
    orchestrator = Settings(**settings.model_dump())
    app = FastAPI()
    app.state.max_body_bytes = orchestrator.max_body_bytes
    install(app)
    async with replica(sagas, settings) as batcher:
        waiters = Waiters(sagas, orchestrator)
        app.include_router(api.routes(batcher, waiters, sagas, orchestrator, admit=refuse, comes_here=lambda _: True))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orchestrator") as http:
            wanted = {"userId": "alice", "totalAmount": 19.99}
            answer = await http.post("/checkout", json=wanted, headers={"Prefer": "respond-async"})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert await sagas.fetchval("select count(*) from sagas") == 0
