"""The orchestrator's calls of an order service that does not always answer as it should."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from chassis.errors import Undeliverable
from chassis.loops import background
from chassis.messages import Body, Message
from saga_orchestrator.messages import ConfirmOrder, OrderConfirmed
from saga_orchestrator.order_client import OrderClient
from saga_orchestrator.settings import Settings
from tests.support.eventually import eventually

Commands = list[dict[str, Any]]
Behaviour = Callable[[Commands], Awaitable[web.Response]]

MOST = 10
TIMEOUT_SECONDS = 0.3


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


@pytest.fixture
async def service() -> OrderService:
    return OrderService()


@asynccontextmanager
async def calling(service: OrderService, parallel: int = 4) -> AsyncIterator[tuple[OrderClient, list[Body]]]:
    """A client of this service, and the replies that it brought."""
    replies: list[Body] = []

    def submit(reply: Message) -> "asyncio.Future[None]":
        replies.append(reply.body)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    app = web.Application()
    app.router.add_post("/orders/batch", service.take)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    settings = Settings(
        order_service_url=f"http://{host}:{port}",
        order_call_timeout_seconds=TIMEOUT_SECONDS,
        order_call_max_commands=MOST,
        order_calls_parallel=parallel,
    )
    client = OrderClient(settings, submit)
    try:
        async with background(client=client.run):
            yield client, replies
    finally:
        await runner.cleanup()


def confirmations(count: int) -> list[Message]:
    return [Message.new(ConfirmOrder(saga_id=uuid4(), order_id=uuid4())) for _ in range(count)]


async def send(client: OrderClient, messages: list[Message]) -> list[Any]:
    """What became of each: None or an error."""
    sent = [await client.send(message) for message in messages]
    return await asyncio.gather(*sent, return_exceptions=True)


async def test_what_waits_together_is_one_request(service: OrderService) -> None:
    messages = confirmations(MOST)
    async with calling(service) as (client, replies):
        outcomes = await send(client, messages)

    assert outcomes == [None] * MOST
    assert replies == [OrderConfirmed(saga_id=message.key) for message in messages]
    assert [[one["messageId"] for one in commands] for commands in service.asked] == [[str(m.id) for m in messages]]


async def test_a_request_holds_no_more_than_the_setting_says(service: OrderService) -> None:
    async with calling(service) as (client, _):
        outcomes = await send(client, confirmations(2 * MOST + 1))

    assert outcomes == [None] * (2 * MOST + 1)
    assert sorted(len(commands) for commands in service.asked) == [1, MOST, MOST]


async def test_no_more_requests_are_under_way_than_the_setting_says(service: OrderService) -> None:
    held = asyncio.Event()

    async def hold(commands: Commands) -> web.Response:
        await held.wait()
        return await well(commands)

    async def assert_full() -> None:
        assert service.at_once == 2

    service.behave = hold
    async with calling(service, parallel=2) as (client, _):
        sending = asyncio.create_task(send(client, confirmations(4 * MOST)))
        await eventually(assert_full)
        held.set()
        outcomes = await sending

    assert outcomes == [None] * (4 * MOST)
    assert service.most_at_once == 2


async def test_a_command_that_is_put_off_fails_alone(service: OrderService) -> None:
    service.behave = one_is_overloaded
    messages = confirmations(MOST)
    async with calling(service) as (client, replies):
        first, *others = await send(client, messages)

    assert isinstance(first, Undeliverable)
    assert others == [None] * (MOST - 1)
    assert replies == [OrderConfirmed(saga_id=message.key) for message in messages[1:]]


@pytest.mark.parametrize("behaviour", [fails, forgets_one, talks_nonsense, knows_no_batches, never_answers])
async def test_without_an_answer_nothing_is_known_of_any_command_and_the_next_is_sent_as_ever(
    service: OrderService, behaviour: Behaviour
) -> None:
    service.behave = behaviour
    async with calling(service, parallel=1) as (client, replies):
        outcomes = await send(client, confirmations(3))
        assert all(isinstance(outcome, Exception) for outcome in outcomes)
        assert replies == []
        service.behave = well
        assert await send(client, confirmations(3)) == [None] * 3
