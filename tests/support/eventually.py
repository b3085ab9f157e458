"""The one way in which tests wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

T = TypeVar("T")


async def eventually(check: Callable[[], Awaitable[T]], within: float = 30.0) -> T:
    """Repeat the check until it stops failing; after `within` seconds its last failure is the test's.

    An AssertionError or a lost connection is a failure that may pass; anything else is raised at once.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            return await check()
        except (AssertionError, httpx.TransportError, OSError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)
