"""What the orchestrator says of the saga that a dead letter belongs to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID

import httpx

from chassis.records import uuid_of
from ops.letters import Letter

Saga: TypeAlias = dict[str, Any]
"""As GET /sagas/{id} answers; without a status where nothing can be said, with `unknown` saying why."""


class Sagas:
    """Asks once for each saga."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._known: dict[UUID, Saga] = {}

    async def of(self, letter: Letter) -> Saga:
        """The letter's saga."""
        saga_id = letter.saga_id
        if saga_id is None:
            return {"unknown": "names no saga"}
        if saga_id not in self._known:
            self._known[saga_id] = await self._ask(saga_id)
        return self._known[saga_id]

    async def _ask(self, saga_id: UUID) -> Saga:
        try:
            answer = await self._http.get(f"/sagas/{saga_id}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                return {"unknown": "no such saga"}
            found: Saga = answer.raise_for_status().json()
        except httpx.HTTPError as error:
            return {"unknown": f"the orchestrator does not say: {error!r}"}
        return found


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Sagas]:
    """The sagas of the orchestrator at this address."""
    async with httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as http:
        yield Sagas(http)


def waits(saga: Saga, letter: Letter) -> bool | None:
    """Whether the saga still waits for this command or reply; None where nobody can tell.

    That is where the saga is unknown or its last entries tell of no command, and for a reply that does not say which
    command it answers: a foreign participant's, which the orchestrator matches by saga and kind.
    """
    if "status" not in saga:
        return None
    if saga["status"] != "RUNNING":
        return False
    awaited = next((event["messageId"] for event in reversed(saga["events"]) if event["kind"] == "SENT"), None)
    if awaited is None:
        return None
    cause = letter.headers.get("causation-id")
    if letter.place.service == "saga-orchestrator":
        return uuid_of(cause) == UUID(awaited) if uuid_of(cause) else None
    return uuid_of(letter.headers.get("message-id")) == UUID(awaited)
