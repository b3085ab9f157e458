"""HTTP as one more transport of the outbox: a command becomes a call, its answer a reply for the same handler."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson

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

Submit = Callable[[Message], "asyncio.Future[Any]"]


class OrderClient:
    """Calls the order service. A timeout or a 5xx is an unknown outcome: the outbox row stays and is sent again."""

    def __init__(self, settings: Settings, submit: Submit) -> None:
        self._settings = settings
        self._submit = submit
        self._slots = asyncio.Semaphore(settings.order_calls_parallel)
        self._calls: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """Hold the connections open, for ever."""
        timeout = aiohttp.ClientTimeout(total=self._settings.order_call_timeout_seconds)
        connector = aiohttp.TCPConnector(limit=self._settings.order_calls_parallel)
        async with aiohttp.ClientSession(
            self._settings.order_service_url, timeout=timeout, connector=connector, auto_decompress=False
        ) as client:
            self._client = client
            self._ready.set()
            await asyncio.Event().wait()

    async def send(self, message: Message) -> "asyncio.Future[Any]":
        """Begin the call as soon as fewer than the allowed number are under way; done when the reply is applied."""
        await self._ready.wait()
        await self._slots.acquire()
        call = asyncio.create_task(self._call(message))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        return call

    async def close(self) -> None:
        """Drop what is under way; it stays in the outbox."""
        for call in self._calls:
            call.cancel()

    def _ended(self, call: "asyncio.Task[None]") -> None:
        self._calls.discard(call)
        self._slots.release()

    async def _call(self, message: Message) -> None:
        assert self._client is not None
        method, path = _endpoint(message.body)
        headers = {"content-type": "application/json", "message-id": str(message.id)}
        if message.traceparent:
            headers["traceparent"] = message.traceparent
        try:
            data = message.body.to_json().encode()
            async with self._client.request(method, path, data=data, headers=headers) as answer:
                status, content = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Undeliverable(f"{method} {path}: {error!r}") from error
        crash_point("order_call.answered", [message.type])
        await self._submit(message.cause(_reply(message, status, content)))


def _endpoint(command: object) -> tuple[str, str]:
    match command:
        case CreateOrder() if not isinstance(command, CancelOrder):
            return "POST", "/orders"
        case CancelOrder(order_id=order_id) | ConfirmOrder(order_id=order_id):
            return "PATCH", f"/orders/{order_id}/status"
    raise TypeError(f"the order service takes no {type(command).__name__}")


def _reply(message: Message, status: int, content: bytes) -> Event:
    """2xx is a yes, unless the order is CANCELLED already; 409 and 422 are a no to a create. All else is unknown."""
    saga_id = message.key
    done = 200 <= status < 300
    match message.body:
        case CancelOrder() if done:
            return OrderCancelled(saga_id=saga_id)
        case ConfirmOrder() if done:
            return OrderConfirmed(saga_id=saga_id)
        case CancelOrder() | ConfirmOrder():
            pass
        case CreateOrder() if done and orjson.loads(content)["status"] == "CANCELLED":
            return OrderRejected(saga_id=saga_id, reason="the order was cancelled before it was created")
        case CreateOrder() if done:
            return OrderCreated(saga_id=saga_id)
        case CreateOrder() if status in (409, 422):
            return OrderRejected(saga_id=saga_id, reason=str(orjson.loads(content).get("detail", status)))
    raise Undeliverable(f"the order service answered {status} to {message.type}: {content[:300]!r}")
