"""The load client, a process of its own: raw HTTP/1.1 on asyncio protocols, since it shares its cores with the stack.

Closed loop: each caller asks again as soon as it is answered. Open loop: requests start by the clock, and latency
counts from the moment at which a request should have started, so that a stall is not hidden.
"""

import asyncio
import json
import re
import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from time import monotonic, process_time
from typing import cast

import uvloop

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Plan:
    """What to send; `rate` in requests a second makes it an open loop, in which `callers` are connections."""

    ports: list[int]
    callers: int
    seconds: float
    mixed: bool = False
    rate: float = 0
    most: int = 0
    """In a closed loop: end after so many requests; 0 is no limit."""

    @property
    def name(self) -> str:
        return shape_name(self.callers, self.rate, self.mixed)


@dataclass
class Outcome:
    """What came of it; latencies in seconds."""

    sent: int = 0
    elapsed: float = 0
    cpu_seconds: float = 0
    statuses: dict[str, int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


class Caller(asyncio.Protocol):
    """A keep-alive connection with at most one request under way."""

    def __init__(self, load: "Load", request: bytes) -> None:
        self.load = load
        self.request = request
        self.answer = b""
        self.intended = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, intended: float) -> None:
        self.intended = intended
        self.answer = b""
        self.load.outcome.sent += 1
        self.load.under_way += 1
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        end = self.answer.find(b"\r\n\r\n")
        length = LENGTH.search(self.answer, 0, max(end, 0))
        if length and len(self.answer) >= end + 4 + int(length[1]):
            self.load.answered(self, self.answer[9:12].decode())

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(error)


class Load:
    """Hands out starts to callers and notes the answers."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcome = Outcome()
        self.under_way = 0
        self.over = asyncio.Event()
        self.free: deque[Caller] = deque()
        self.due: deque[float] = deque()
        self.end = 0.0

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        for number in range(self.plan.callers):
            port = self.plan.ports[number % len(self.plan.ports)]
            request = checkout(port, number, self.plan.mixed)
            _, caller = await loop.create_connection(lambda r=request: Caller(self, r), "127.0.0.1", port)  # type: ignore[misc]
            self.free.append(caller)
        print("ready", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        began, cpu_before = monotonic(), process_time()
        self.end = began + self.plan.seconds
        try:
            async with asyncio.timeout(self.plan.seconds + PATIENCE_SECONDS):
                await (self._open(began) if self.plan.rate else self._closed(began))
                await self.over.wait()
        except TimeoutError:
            self.outcome.errors.append(f"{self.under_way} requests were never answered")
        self.outcome.elapsed = monotonic() - began
        self.outcome.cpu_seconds = process_time() - cpu_before
        return self.outcome

    async def _closed(self, began: float) -> None:
        while self.free:
            self.free.popleft().ask(began)

    async def _open(self, began: float) -> None:
        for number in range(int(self.plan.rate * self.plan.seconds)):
            start = began + number / self.plan.rate
            if (early := start - monotonic()) > 0:
                await asyncio.sleep(early)
            if self.free:
                self.free.popleft().ask(start)
            else:
                self.due.append(start)
        self._check_over()

    def answered(self, caller: Caller, status: str) -> None:
        now = monotonic()
        self.under_way -= 1
        self.outcome.statuses[status] += 1
        self.outcome.latencies.append(now - caller.intended)
        if self.due:
            caller.ask(self.due.popleft())
        elif self.plan.rate or self._is_over(now):
            self.free.append(caller)
            self._check_over()
        else:
            caller.ask(now)

    def lost(self, error: Exception | None) -> None:
        if not self.over.is_set():
            self.outcome.errors.append(f"a connection was lost: {error!r}")
            self.over.set()

    def _check_over(self) -> None:
        if not self.under_way and not self.due and self._is_over(monotonic() + 1 / (self.plan.rate or 1e9)):
            self.over.set()

    def _is_over(self, now: float) -> bool:
        return now >= self.end or 0 < self.plan.most <= self.outcome.sent


def shape_name(callers: int, rate: float, mixed: bool) -> str:
    """What a cell is called: `64`, `100/s mixed`."""
    return (f"{rate:g}/s" if rate else f"{callers}") + (" mixed" if mixed else "")


def checkout(port: int, number: int, mixed: bool) -> bytes:
    """The request as bytes; mixed means that payment and inventory fail at random."""
    order: dict[str, object] = {"userId": f"bench-{number}", "totalAmount": 19.99}
    if not mixed:
        order |= {"forcePaymentFail": False, "forceInventoryFail": False}
    body = json.dumps(order)
    head = f"POST /checkout HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


if __name__ == "__main__":
    outcome = uvloop.run(Load(Plan(**json.loads(sys.argv[1]))).run())
    # With PYTHONUNBUFFERED set, `print` drops what a full pipe does not take at once.
    with open(sys.stdout.fileno(), "w", closefd=False) as buffered:
        json.dump(vars(outcome), buffered)
