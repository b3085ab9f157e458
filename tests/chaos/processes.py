"""The services as processes of the tests' own: told where to die, killed, frozen, and started again."""

import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import httpx

from local.instance import Instance, Service
from tests.chaos.child import become
from tests.support.eventually import eventually
from tests.support.stack import INSTANCE, KAFKA_BROKER, OFFSET

HERE = Instance(INSTANCE or "chaos", OFFSET)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.chaos.child"])

QUICK = {
    "DEADLINE_CHECK_SECONDS": "0.3",
    "ORDER_CALL_TIMEOUT_SECONDS": "2",
    "OPERATOR_TOKEN": "chaos",
    "RELAY_LEASE_SECONDS": "0.5",
    "RELAY_TICK_SECONDS": "0.05",
    "RETRY_DELAYS_SECONDS": '{"5s": 0.5, "30s": 1, "5m": 1.5}',
}
"""Settings with which what must be waited for comes soon."""


class Process:
    """One service, or a replica of it; it may be started many times, one after the other."""

    def __init__(
        self, service: Service, replica: int = 0, module: str = "", settings: Mapping[str, str] = QUICK
    ) -> None:
        self.service = service
        self.url = HERE.url(service, replica)
        self.name = service.name if replica == 0 else f"{service.name}-{replica + 1}"
        self.log = HERE.log(self.name)
        self._arm = HERE.folder / f"{self.name}.arm"
        self._module = module or f"{service.package}.main"
        self._settings = HERE.service_environment(service, replica, KAFKA_BROKER) | dict(settings)
        self._settings["ARM"] = str(self._arm)
        self._said = 0
        self.starts = 0

    def start(self, crash_at: str = "", module: str = "", **settings: str) -> None:
        """Begin a new life; `module` and `settings` count for this one only."""
        self._said = self.log.stat().st_size if self.log.exists() else 0
        self.starts += 1
        environment = self._settings | settings | {"CRASH_AT": crash_at}
        self._process = FORKS.Process(
            target=become, args=(module or self._module, environment, str(self.log)), daemon=True
        )
        self._process.start()

    async def ready(self, within: float = 60) -> None:
        """Wait until it says that everything behind it works."""
        async with httpx.AsyncClient(base_url=self.url, timeout=5) as http:

            async def says_so() -> None:
                assert self.lives, f"{self.name} ended with {self._process.exitcode}, see {self.log}"
                answer = await http.get("/readyz")
                assert answer.status_code == 200, f"{self.name}: {answer.text}"

            await eventually(says_so, within)

    @property
    def lives(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """As of `multiprocessing`: a negative number is a signal."""
        return self._process.exitcode

    async def arm(self, crash_at: str) -> None:
        """Tell the running process where to die."""
        self._arm.write_text(crash_at)
        self.send(signal.SIGUSR1)
        await eventually(lambda: _is_gone(self._arm))

    async def crashed(self, crash_at: str, within: float) -> float:
        """Wait until it has died at that crash point; the moment at which it had."""

        async def gone() -> float:
            assert not self.lives, f"{crash_at} was not hit in {self.name}"
            return monotonic()

        died_at = await eventually(gone, within)
        assert self.exit_code == -signal.SIGKILL, f"{self.name} ended with {self.exit_code}, see {self.log}"
        words = f"crash point {' '.join(crash_at.partition('@')[::2])} reached"
        assert words in self.said(), f"{self.name} was killed, but not at {crash_at}"
        return died_at

    def said(self) -> str:
        """What it has written in this life."""
        with self.log.open("rb") as log:
            log.seek(self._said)
            return log.read().decode(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process.pid
        os.kill(self._process.pid, number)

    async def end(self, number: signal.Signals = signal.SIGKILL, within: float = 30) -> float:
        """Send a signal that ends it; how many seconds that took."""
        began = monotonic()
        if self.lives:
            self.send(number)
        await eventually(lambda: _is_dead(self), within)
        return monotonic() - began

    async def restart(self, crash_at: str = "", **settings: str) -> None:
        """Kill it and begin a new life."""
        await self.end()
        self.start(crash_at, **settings)
        await self.ready()

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Inside this block the process stands still."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        async with httpx.AsyncClient(base_url=self.url, timeout=5) as http:
            lines = (await http.get("/metrics")).raise_for_status().text.splitlines()
        found = [line for line in lines if line.startswith((f"{name} ", f"{name}{{", f"# TYPE {name} "))]
        assert found, f"{self.name} does not count {name}"
        return sum(float(line.split()[-1]) for line in found if not line.startswith("#"))


async def _is_gone(file: Path) -> None:
    assert not file.exists()  # noqa: ASYNC240 -- a local file, once in 50 ms


async def _is_dead(process: Process) -> None:
    assert not process.lives, f"{process.name} does not end"
