"""Starts the four textbook processes beside an instance's Postgres and Kafka, at the ports of the services."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from local.instance import ORCHESTRATOR, ROOT, SERVICES, Instance, Service, python

READY_SECONDS = 30


@contextmanager
def running(instance: Instance, broker: str, log: Path) -> Iterator[None]:
    """The textbook services, as long as the body runs."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        processes = [_start(instance, service, broker, output.fileno()) for service in SERVICES]
        try:
            for service in SERVICES:
                _wait_until_ready(instance.url(service), log)
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(10)


def _start(instance: Instance, service: Service, broker: str, output: int) -> "subprocess.Popen[bytes]":
    module = "orchestrator" if service is ORCHESTRATOR else service.name.removesuffix("-service")
    environment = os.environ | instance.service_environment(service, 0, broker)
    command = python("-m", f"bench.textbook.{module}")
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)


def _wait_until_ready(url: str, log: Path) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while True:
        try:
            urlopen(f"{url}/readyz", timeout=2).close()
            return
        except (URLError, TimeoutError):
            if time.monotonic() > give_up:
                raise RuntimeError(f"{url} is not ready, see {log}") from None
            time.sleep(0.1)
