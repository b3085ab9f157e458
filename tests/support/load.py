"""Customers who check out one after the other and do not give up when the connection breaks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.support.eventually import eventually

PATIENCE_SECONDS = 60
"""How long a customer repeats a checkout that nobody answers."""
ANSWERS = {200: "COMPLETED", 202: "RUNNING", 402: "FAILED", 409: "FAILED"}


async def checkout(
    http: httpx.AsyncClient, body: Mapping[str, Any], key: str | None = None, patience: float = PATIENCE_SECONDS
) -> httpx.Response:
    """One checkout, repeated with the same Idempotency-Key until the orchestrator has acknowledged it."""
    headers = {"Idempotency-Key": key or str(uuid4())}

    async def attempt() -> httpx.Response:
        answer = await http.post("/checkout", json=body, headers=headers)
        assert answer.status_code != 503, answer.text
        return answer

    answer = await eventually(attempt, within=patience)
    expected = ANSWERS.get(answer.status_code)
    if expected is None or answer.json()["status"] != expected:
        raise RuntimeError(f"a checkout was answered {answer.status_code}: {answer.text}")
    return answer


@dataclass
class History:
    """What the customers know: who they are, and what they were told."""

    users: set[str] = field(default_factory=set)
    answers: list[Mapping[str, Any]] = field(default_factory=list)
    closing: bool = False

    @property
    def saga_ids(self) -> list[str]:
        return [answer["sagaId"] for answer in self.answers]

    @property
    def order_ids(self) -> set[str]:
        return {answer["orderId"] for answer in self.answers}

    async def grows(self, by: int, within: float = 30) -> None:
        """Wait until so many more checkouts are answered."""
        wanted = len(self.answers) + by

        async def grown() -> None:
            assert len(self.answers) >= wanted, f"{len(self.answers)} checkouts of {wanted} were answered"

        await eventually(grown, within)


@asynccontextmanager
async def load(http: httpx.AsyncClient, callers: int, patience: float = PATIENCE_SECONDS) -> AsyncIterator[History]:
    """So many customers at once while the block runs; on its way out each ends what it has begun."""
    history = History()

    async def customer() -> None:
        while not history.closing:
            user = f"load-{uuid4()}"
            history.users.add(user)
            answer = await checkout(http, {"userId": user, "totalAmount": 19.99}, user, patience)
            history.answers.append(answer.json() | {"idempotencyKey": user})

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(customer())
        yield history
        history.closing = True
