"""The textbook variant is slow, but correct."""

import httpx
import pytest

from bench import stack
from bench.textbook.check import disagreements
from local.instance import Instance

ANSWERS = {(True, False): 402, (False, True): 409, (False, False): 200}
"""By whether the payment and the stock are made to fail."""


@pytest.fixture
def variant() -> stack.Command:
    return stack.textbook


async def test_every_checkout_ends_and_the_databases_agree(orchestrator: httpx.AsyncClient, instance: Instance) -> None:
    answers = {flags: await check_out(orchestrator, *flags) for flags in ANSWERS}

    assert answers == ANSWERS
    assert await disagreements(instance) == []


async def check_out(orchestrator: httpx.AsyncClient, payment_fails: bool, stock_fails: bool) -> int:
    flags = {"forcePaymentFail": payment_fails, "forceInventoryFail": stock_fails}
    return (await orchestrator.post("/checkout", json={"userId": "u1", "totalAmount": 19.99, **flags})).status_code
