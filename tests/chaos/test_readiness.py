"""`/readyz` names the part behind a service that does not answer."""

import httpx
import pytest

from local.instance import PAYMENT
from tests.chaos.infra import KAFKA, away
from tests.chaos.system import System
from tests.support.eventually import eventually


@pytest.mark.parametrize(("server", "part"), [(KAFKA, "broker"), (PAYMENT.database.program, "database")])
async def test_a_server_that_is_away_is_named_until_it_is_back(system: System, server: str, part: str) -> None:
    payment = system[PAYMENT]

    async def assert_named() -> None:
        async with httpx.AsyncClient(base_url=payment.url) as http:
            answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()[part] is not True

    async with away(server):
        await eventually(assert_named)
    await payment.ready()
