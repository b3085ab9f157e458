"""Order services that do not always answer as they should."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Commands = list[dict[str, Any]]
Behaviour = Callable[[Commands], Awaitable[web.Response]]


class OrderService:
    """Keeps what it was asked, and behaves as it is told to."""

    def __init__(self) -> None:
        self.asked: list[Commands] = []
        self.at_once = self.most_at_once = 0
        self.behave: Behaviour = well

    async def take(self, request: web.Request) -> web.Response:
        commands: Commands = await request.json()
        self.asked.append(commands)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.behave(commands)
        finally:
            self.at_once -= 1


def answers(statuses: list[int]) -> web.Response:
    return web.json_response([{"status": status, "body": {"status": "CONFIRMED"}} for status in statuses], status=207)


async def well(commands: Commands) -> web.Response:
    return answers([200] * len(commands))


async def one_is_overloaded(commands: Commands) -> web.Response:
    return answers([503] + [200] * (len(commands) - 1))


async def fails(_: Commands) -> web.Response:
    return web.Response(status=500, text="out of order")


async def forgets_one(commands: Commands) -> web.Response:
    return answers([200] * (len(commands) - 1))


async def talks_nonsense(_: Commands) -> web.Response:
    return web.Response(status=207, text="<html>", content_type="application/json")


async def knows_no_batches(_: Commands) -> web.Response:
    return web.json_response({"detail": "Not Found"}, status=404)


async def never_answers(_: Commands) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError
