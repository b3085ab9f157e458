"""Where the running stack is, and how one of its processes is killed.

PORT_OFFSET, STACK_INSTANCE and KAFKA_BROKER say which stack is meant; who started it, if STACK_KIND (local or compose)
does not say so, is found out.
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
from functools import cache
from pathlib import Path
from shutil import which

import httpx

from local import footing
from local.instance import Instance
from local.supervisor import Supervisor
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
OFFSET = int(os.environ.get("PORT_OFFSET") or 0)
INSTANCE = os.environ.get("STACK_INSTANCE") or None
KAFKA_BROKER = os.environ.get("KAFKA_BROKER") or f"{HOST}:{9092 + OFFSET}"


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
    send = {"local": _signal_local, "compose": _signal_compose}[await asyncio.to_thread(kind)]
    await asyncio.to_thread(send, service, number)


@cache
def kind() -> str:
    """Who started the stack at these ports: `make up`, else `docker compose up`."""
    if given := os.environ.get("STACK_KIND"):
        return given
    here = Instance(INSTANCE or "default", OFFSET)
    if Supervisor(here).is_running() and footing.port_offset(here) == OFFSET:
        return "local"
    address = f"{HOST}:{ORCHESTRATOR.port + OFFSET}"
    compose = ["docker", "compose", "port", ORCHESTRATOR.name, str(ORCHESTRATOR.port)]
    if which("docker") and subprocess.run(compose, cwd=ROOT, capture_output=True, text=True).stdout.strip() == address:
        return "compose"
    raise AssertionError(
        f"These tests kill and freeze processes, but neither `make up` nor `docker compose up` started {address} in "
        f"{ROOT}: run them where it was started, with its PORT_OFFSET, STACK_INSTANCE or COMPOSE_PROJECT_NAME."
    )


def _signal_local(service: Service, number: signal.Signals) -> None:
    instance = ["--instance", INSTANCE or "default", "--port-offset", str(OFFSET)]
    _run(sys.executable, "-m", "local", *instance, "kill", service.name, "--signal", number.name.removeprefix("SIG"))


def _signal_compose(service: Service, number: signal.Signals) -> None:
    match number:
        case signal.SIGSTOP:
            _run("docker", "compose", "pause", service.name)
        case signal.SIGCONT:
            _run("docker", "compose", "unpause", service.name)
        case _:  # from inside: what `docker kill` ends, Docker does not start again
            send = f"kill -{number.name.removeprefix('SIG')} $(cat /proc/1/task/1/children)"
            _run("docker", "compose", "exec", "-T", service.name, "bash", "-c", send)


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()
