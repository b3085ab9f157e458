"""`/healthz` (alive), `/readyz` (everything behind it works), `/metrics`."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.http import json_response

CHECK_SECONDS = 1.5
"""What does not answer in this time does not work; less than the 2 s for which those who ask here wait."""

Check = Callable[[], Awaitable[bool | str]]


def routes(**parts: Check) -> APIRouter:
    """The three routes; each check says whether one part works, or why it does not."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> Response:
        return json_response({"status": "alive"})

    @router.api_route("/readyz", methods=["GET", "HEAD"])
    async def readyz() -> Response:
        found = await asyncio.gather(*(_in_time(check) for check in parts.values()))
        works = all(each is True for each in found)
        return json_response(dict(zip(parts, found, strict=True)), 200 if works else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _in_time(check: Check) -> bool | str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return False


def both(first: Check, second: Check) -> Check:
    """One part that two checks look at."""

    async def check() -> bool | str:
        found = await first()
        return found if found is not True else await second()

    return check
