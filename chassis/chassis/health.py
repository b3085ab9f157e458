"""`/healthz` (alive), `/readyz` (everything behind it works), `/metrics`."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.database import INFRASTRUCTURE_ERRORS, Pool
from chassis.http import json_response

DATABASE_CHECK_SECONDS = 2


def routes(pool: Pool, **checks: Callable[[], bool | str]) -> APIRouter:
    """The three routes; each check answers whether one part works, or says why it does not."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return json_response({"status": "alive"})

    @router.get("/readyz")
    async def readyz() -> Response:
        parts = {"database": await _answers(pool), **{name: check() for name, check in checks.items()}}
        return json_response(parts, 200 if all(part is True for part in parts.values()) else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _answers(pool: Pool) -> bool:
    try:
        async with asyncio.timeout(DATABASE_CHECK_SECONDS):
            await pool.fetchval("select 1")
    except INFRASTRUCTURE_ERRORS:
        return False
    return True
