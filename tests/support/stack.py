"""Where the running stack is, and how one of its processes is killed.

PORT_OFFSET, STACK_KIND (local or compose), STACK_INSTANCE and KAFKA_BROKER say which stack is meant.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
OFFSET = int(os.environ.get("PORT_OFFSET", "0"))
KIND = os.environ.get("STACK_KIND", "local")
INSTANCE = os.environ.get("STACK_INSTANCE")
KAFKA_BROKER = os.environ.get("KAFKA_BROKER", f"{HOST}:{9092 + OFFSET}")


@dataclass(frozen=True)
class Service:
    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port + OFFSET}"

    def __str__(self) -> str:
        return self.name


ORCHESTRATOR = Service("saga-orchestrator", 4000)
ORDER = Service("order-service", 4001)
PAYMENT = Service("payment-service", 4002)
INVENTORY = Service("inventory-service", 4003)
SERVICES = (ORCHESTRATOR, ORDER, PAYMENT, INVENTORY)


async def assert_ready(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.url) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200, f"{service} is not ready: {answer.text}"


async def started_at(service: Service) -> float:
    """The start time of the service's process, as its own metrics tell it."""
    async with httpx.AsyncClient(base_url=service.url) as http:
        metrics = (await http.get("/metrics")).raise_for_status().text
    found = re.search(r"^process_start_time_seconds (\S+)$", metrics, re.MULTILINE)
    assert found, f"{service} does not say when it was started"
    return float(found[1])


async def crash(service: Service) -> None:
    """kill -9, and wait until another process has taken its place and is ready."""
    before = await started_at(service)
    await send_signal(service, signal.SIGKILL)

    async def is_back() -> None:
        assert await started_at(service) > before, f"{service} was not killed"
        await assert_ready(service)

    await eventually(is_back, within=60)


@asynccontextmanager
async def frozen(service: Service) -> AsyncIterator[None]:
    """Inside this block the service's process stands still; it then goes on as if nothing had been."""
    await send_signal(service, signal.SIGSTOP)
    try:
        yield
    finally:
        await send_signal(service, signal.SIGCONT)


async def send_signal(service: Service, number: signal.Signals) -> None:
    await asyncio.to_thread({"local": _signal_local, "compose": _signal_compose}[KIND], service, number)


def _signal_local(service: Service, number: signal.Signals) -> None:
    instance = ["--instance", INSTANCE] if INSTANCE else []
    which = [*instance, "--port-offset", str(OFFSET)]
    _run(sys.executable, "-m", "local", *which, "kill", service.name, "--signal", number.name.removeprefix("SIG"))


def _signal_compose(service: Service, number: signal.Signals) -> None:
    match number:
        case signal.SIGSTOP:
            _run("docker", "compose", "pause", service.name)
        case signal.SIGCONT:
            _run("docker", "compose", "unpause", service.name)
        case _:  # from outside: what `docker kill` ends, Docker does not start again
            container = _run("docker", "compose", "ps", "-q", service.name)
            os.kill(int(_run("docker", "inspect", "-f", "{{.State.Pid}}", container)), number)


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()
