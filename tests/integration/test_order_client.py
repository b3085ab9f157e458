"""The orchestrator's calls of an order service that does not always answer as it should."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from chassis.errors import Undeliverable
from chassis.loops import background
from chassis.messages import Body, Message
from saga_orchestrator.messages import ConfirmOrder, OrderConfirmed
from saga_orchestrator.order_client import OrderClient
from saga_orchestrator.settings import Settings
from tests.integration.order_services import (
    Behaviour,
    Commands,
    OrderService,
    fails,
    forgets_one,
    knows_no_batches,
    never_answers,
    one_is_overloaded,
    talks_nonsense,
    well,
)
from tests.support.eventually import eventually

MOST = 10
LONG_SECONDS = 30


@pytest.fixture
async def service() -> OrderService:
    return OrderService()


@asynccontextmanager
async def calling(
    service: OrderService,
    parallel: int = 4,
    timeout_seconds: float = LONG_SECONDS,
    refusal: Exception | None = None,
) -> AsyncIterator[tuple[OrderClient, list[Message]]]:
    """A client of this service, and the replies that it brought, of which none can be applied if there is a refusal."""
    replies: list[Message] = []

    def submit(reply: Message) -> asyncio.Future[None]:
        replies.append(reply)
        applied = asyncio.Future[None]()
        if refusal:
            applied.set_exception(refusal)
        else:
            applied.set_result(None)
        return applied

    app = web.Application()
    app.router.add_post("/orders/batch", service.take)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    settings = Settings(
        order_service_url=f"http://{host}:{port}",
        order_call_timeout_seconds=timeout_seconds,
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


def told(replies: list[Message]) -> list[tuple[Body, UUID | None]]:
    """What each says, and in answer to which command."""
    return [(reply.body, reply.causation_id) for reply in replies]


def confirmed(messages: list[Message]) -> list[tuple[Body, UUID | None]]:
    return [(OrderConfirmed(saga_id=message.key), message.id) for message in messages]


async def test_what_waits_together_is_one_request(service: OrderService) -> None:
    messages = confirmations(MOST)
    async with calling(service) as (client, replies):
        outcomes = await send(client, messages)

    assert outcomes == [None] * MOST
    assert told(replies) == confirmed(messages)
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
    assert told(replies) == confirmed(messages[1:])


async def test_a_command_whose_reply_cannot_be_applied_fails(service: OrderService) -> None:
    refusal = RuntimeError("not now")
    async with calling(service, refusal=refusal) as (client, _):
        assert await send(client, confirmations(2)) == [refusal, refusal]


@pytest.mark.parametrize(
    ("behaviour", "timeout_seconds"),
    [
        *((at_once, LONG_SECONDS) for at_once in (fails, forgets_one, talks_nonsense, knows_no_batches)),
        (never_answers, 1),
    ],
)
async def test_without_an_answer_nothing_is_known_of_any_command_and_the_next_is_sent_as_ever(
    service: OrderService, behaviour: Behaviour, timeout_seconds: float
) -> None:
    service.behave = behaviour
    async with calling(service, parallel=1, timeout_seconds=timeout_seconds) as (client, replies):
        outcomes = await send(client, confirmations(3))
        assert all(isinstance(outcome, Exception) for outcome in outcomes)
        assert replies == []
        service.behave = well
        assert await send(client, confirmations(3)) == [None] * 3
