"""Starts four services as plain processes beside an instance's Postgres and Kafka, at the ports of the services."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from local.instance import ORCHESTRATOR, ROOT, SERVICES, Instance, Service, inherited, python

READY_SECONDS = 120
STOP_SECONDS = 20

Command = Callable[[Service], tuple[str, ...]]


def ours(service: Service) -> tuple[str, ...]:
    """The module that runs this service."""
    return (f"{service.package}.main",)


def without(lever: str) -> Command:
    """The same with one lever taken out."""
    return lambda service: ("bench.without", lever, *ours(service))


def textbook(service: Service) -> tuple[str, ...]:
    """The module that runs the textbook variant of this service."""
    return (f"bench.textbook.{'orchestrator' if service is ORCHESTRATOR else service.name.removesuffix('-service')}",)


def floor(service: Service) -> tuple[str, ...]:
    """The module of the floor, and which of the four it is."""
    return ("bench.floor", service.name)


@contextmanager
def running(instance: Instance, broker: str, log: Path, command: Command) -> Iterator[dict[Service, float]]:
    """The services, as long as the body runs; it gets the seconds that each took to be ready."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        began = time.monotonic()
        processes = [_start(instance, service, broker, command(service), output.fileno()) for service in SERVICES]
        try:
            ready = {}
            for service in SERVICES:
                _wait_until_ready(instance.url(service), log)
                ready[service] = time.monotonic() - began
            yield ready
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(STOP_SECONDS)


def _start(
    instance: Instance, service: Service, broker: str, command: tuple[str, ...], output: int
) -> "subprocess.Popen[bytes]":
    environment = inherited() | instance.service_environment(service, 0, broker)
    return subprocess.Popen(python("-m", *command), cwd=ROOT, env=environment, stdout=output, stderr=output)


def _wait_until_ready(url: str, log: Path) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while True:
        try:
            urlopen(f"{url}/readyz", timeout=2).close()
            return
        except (URLError, TimeoutError):
            if time.monotonic() > give_up:
                raise RuntimeError(f"{url} is not ready, see {log}") from None
            time.sleep(0.05)
