"""HTTP as one more transport of the outbox: commands become a request, each answer a reply for the same handler."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson
from prometheus_client import Histogram
from pydantic import BaseModel, TypeAdapter

from chassis.crash import crash_point
from chassis.errors import Undeliverable
from chassis.messages import Event, Message
from saga_orchestrator.messages import (
    CancelOrder,
    ConfirmOrder,
    CreateOrder,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderRejected,
)
from saga_orchestrator.settings import Settings

PATH = "/orders/batch"
SIZES = (1, 2, 4, 8, 16, 32, 64)
Submit = Callable[[Message], "asyncio.Future[Any]"]


commands = Histogram("order_call_commands", "Commands in one request to the order service", buckets=SIZES)


@dataclass(frozen=True, slots=True)
class Call:
    """A command on its way, as it travels; `done` when its reply is applied."""

    message: Message
    content: bytes
    done: "asyncio.Future[Any]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Answer(BaseModel):
    """What the order service says to one command of a request."""

    status: int
    body: dict[str, Any]


ANSWERS = TypeAdapter(list[Answer])


class OrderClient:
    """Calls the order service: whatever waits becomes one request.

    A timeout or a 5xx is an unknown outcome: the outbox row stays and is sent again.
    """

    def __init__(self, settings: Settings, submit: Submit) -> None:
        self._settings = settings
        self._submit = submit
        self._waiting: deque[Call] = deque()
        self._work = asyncio.Event()
        self._slots = asyncio.Semaphore(settings.order_calls_parallel)

    async def run(self) -> None:
        """Hold the connections open and send what waits, for ever."""
        timeout = aiohttp.ClientTimeout(total=self._settings.order_call_timeout_seconds)
        session = aiohttp.ClientSession(self._settings.order_service_url, timeout=timeout, auto_decompress=False)
        async with session as client, asyncio.TaskGroup() as requests:
            while True:
                await self._work.wait()
                await self._slots.acquire()
                most = min(len(self._waiting), self._settings.order_call_max_commands)
                calls = [self._waiting.popleft() for _ in range(most)]
                if not self._waiting:
                    self._work.clear()
                requests.create_task(self._request(client, calls))

    async def send(self, message: Message) -> "asyncio.Future[Any]":
        """Put it into the next request."""
        call = Call(message, enveloped(message))
        self._waiting.append(call)
        self._work.set()
        return call.done

    async def close(self) -> None:
        """What was under way when `run` ended is in the outbox."""

    async def _request(self, client: aiohttp.ClientSession, calls: list[Call]) -> None:
        try:
            answers = await _ask(client, calls)
        except Exception as error:  # whatever it is, the relay logs it and sends them again
            for call in calls:
                call.done.set_exception(error)
        else:
            for call, answer in zip(calls, answers, strict=True):
                self._apply(call, answer)
        finally:
            self._slots.release()

    def _apply(self, call: Call, answer: Answer) -> None:
        try:
            reply = reply_to(call.message, answer)
        except Undeliverable as error:
            call.done.set_exception(error)
        else:
            self._submit(call.message.cause(reply)).add_done_callback(partial(_applied, call))


def _applied(call: Call, applied: "asyncio.Future[Any]") -> None:
    if applied.cancelled():
        call.done.cancel()
    elif error := applied.exception():
        call.done.set_exception(error)
    else:
        call.done.set_result(None)


async def _ask(client: aiohttp.ClientSession, calls: list[Call]) -> list[Answer]:
    """One request; an answer to each command, in their order."""
    commands.observe(len(calls))
    data = b"[%b]" % b",".join(call.content for call in calls)
    async with client.post(PATH, data=data, headers={"content-type": "application/json"}) as response:
        status, content = response.status, await response.read()
    answers = ANSWERS.validate_json(content) if status == HTTPStatus.MULTI_STATUS else []
    if len(answers) != len(calls):
        raise Undeliverable(f"POST {PATH} with {len(calls)} commands: {status} {content[:300]!r}")
    crash_point("order_call.answered", [call.message.type for call in calls])
    return answers


def enveloped(message: Message) -> bytes:
    """A command with the metadata that Kafka would carry in headers."""
    body = message.body
    envelope = {
        "messageId": str(message.id),
        "traceparent": message.traceparent,
        "type": "CreateOrder" if isinstance(body, CreateOrder) else "SetOrderStatus",
        "body": orjson.Fragment(body.to_json()),
    }
    return orjson.dumps(envelope)


def reply_to(message: Message, answer: Answer) -> Event:
    """2xx is a yes, unless the order is CANCELLED already; 409 and 422 are a no to a create. All else is unknown."""
    saga_id = message.key
    done = 200 <= answer.status < 300
    match message.body:
        case CreateOrder() if done and answer.body.get("status") == "CANCELLED":
            return OrderRejected(saga_id=saga_id, reason="the order is cancelled")
        case CreateOrder() if done:
            return OrderCreated(saga_id=saga_id)
        case CreateOrder() if answer.status in (409, 422):
            return OrderRejected(saga_id=saga_id, reason=str(answer.body.get("detail", answer.status)))
        case CancelOrder() if done:
            return OrderCancelled(saga_id=saga_id)
        case ConfirmOrder() if done:
            return OrderConfirmed(saga_id=saga_id)
    raise Undeliverable(f"the order service answered {answer.status} to {message.type}: {answer.body}"[:400])
