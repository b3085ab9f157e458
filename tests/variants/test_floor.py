"""The floor does what it is measured for."""

import httpx
import pytest

from bench import books, stack
from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Instance

CHECKOUTS = 3
COMMITS = {ORCHESTRATOR: 5, ORDER: 2, PAYMENT: 1, INVENTORY: 1}
"""Of one checkout: nine, as in the real system."""
ROWS = "select (select count(*) from sagas) + (select count(*) from steps)"


@pytest.fixture
def variant() -> stack.Command:
    return stack.floor


async def test_a_checkout_is_nine_commits(orchestrator: httpx.AsyncClient, instance: Instance) -> None:
    answers = [(await orchestrator.post("/checkout")).status_code for _ in range(CHECKOUTS)]

    assert answers == [200] * CHECKOUTS
    for service, commits in COMMITS.items():
        connection = await books.connect(instance, service.database)
        assert await connection.fetchval(ROWS) == commits * CHECKOUTS, service.name
        await connection.close()
