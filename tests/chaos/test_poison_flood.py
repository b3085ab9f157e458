"""Poison by the thousand on every topic: nobody falls over, good messages pass, and each bad one is a dead letter."""

import asyncio
import random

import pytest

from local.instance import SERVICES
from tests.chaos.forms import EXTENT
from tests.chaos.poison import dead_letters, pour
from tests.chaos.system import ALL_WELL, System
from tests.chaos.verdict import assert_audit_is_clean


@pytest.mark.proves("poison")
async def test_a_flood_of_poison_ends_as_dead_letters_and_checkouts_go_on(system: System, seed: int) -> None:
    body = {"userId": "chaos", "totalAmount": 19.99, **ALL_WELL}
    async with dead_letters() as letters:
        flood = asyncio.create_task(pour(EXTENT.poison, random.Random(seed)))
        answers = [await system.http.post("/checkout", json=body) for _ in range(50)]
        await letters.hold(await flood)

    assert {answer.status_code for answer in answers} <= {200, 202}, "a checkout was refused"
    assert all(letter.reason for letter in letters.found.values()), "a dead letter does not say why"
    await system.ready()
    assert all(system[service].lives for service in SERVICES), "a service was killed by poison"
    await system.agree([answer.json()["sagaId"] for answer in answers])
    await assert_audit_is_clean()
