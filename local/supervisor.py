"""What we ask of supervisord while it runs."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import Error, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from local import configuration
from local.configuration import STOP_SECONDS
from local.instance import SERVICES, Instance, inherited, python
from local.problem import Problem
from local.program import Program
from local.services import setting_names

ALIVE = ("STARTING", "RUNNING", "BACKOFF", "STOPPING")


@dataclass(frozen=True)
class State:
    """One process as supervisord sees it; `pid` is 0 if it does not run."""

    name: str
    state: str
    pid: int
    description: str


class Supervisor:
    """The supervisord of one instance, reached by its socket; nothing is remembered between calls."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._file = instance.folder / "supervisord.conf"
        self.url = f"unix://{configuration.socket(instance)}"

    @property
    def _rpc(self) -> Any:
        """Anew each time: supervisor's transport does not recover from a failed call."""
        return ServerProxy("http://localhost", transport=SupervisorTransport(serverurl=self.url)).supervisor

    def is_running(self) -> bool:
        """False also if nobody answers, or while it shuts down."""
        try:
            return bool(self._rpc.getState()["statename"] == "RUNNING")
        except (OSError, Error):
            return False

    def states(self) -> list[State]:
        """Every process that it knows, alive or not; none if supervisord does not run."""
        if not self.is_running():
            return []
        return [State(i["name"], i["statename"], i["pid"], i["description"]) for i in self._rpc.getAllProcessInfo()]

    def apply(self, programs: list[Program]) -> None:
        """Make these programs, and no others, the ones that run. An unchanged one goes on undisturbed."""
        self._file.touch()
        self._file.chmod(0o600)  # there may be passwords in it
        self._file.write_text(configuration.text(self.instance, programs))
        if not self.is_running():
            self._start_daemon()
        ((added, changed, removed),) = self._rpc.reloadConfig()
        self.stop([*changed, *removed])
        for name in [*changed, *removed]:
            self._rpc.removeProcessGroup(name)
        for name in [*added, *changed]:
            self._rpc.addProcessGroup(name)
        for process in self.states():
            if process.state not in ALIVE:
                self._rpc.startProcess(process.name, False)
            elif stands_still(process.pid):
                self._signal(process.pid, signal.SIGCONT)

    def stop(self, names: Iterable[str]) -> None:
        """Stop these at the same time; a process that was made to stand still is woken first."""
        names = set(names)
        for process in self.states():
            if process.name in names and process.state in ALIVE:
                if process.pid:
                    self._signal(process.pid, signal.SIGCONT)
                if process.state != "STOPPING":
                    self._rpc.stopProcess(process.name, False)
        wait_until(lambda: not any(p.name in names and p.state in ALIVE for p in self.states()), STOP_SECONDS + 10)

    def send(self, name: str, number: signal.Signals) -> None:
        """Signal the process and its children; `Problem` if it does not run."""
        process = next((p for p in self.states() if p.name == name), None)
        if not process or not process.pid:
            known = ", ".join(p.name for p in self.states()) or "nothing at all"
            raise Problem(f"{name} does not run here; what does: {known}.")
        self._signal(process.pid, number)

    def shut_down(self) -> None:
        """Stop supervisord and all that it started, also what an earlier one left behind."""
        if self.is_running():
            daemon = psutil.Process(self._rpc.getPID())
            self._rpc.shutdown()
            daemon.wait(STOP_SECONDS * 2)
        self.end_orphans()

    def _start_daemon(self) -> None:
        command = python("-m", "supervisor.supervisord", "-c", str(self._file))
        settings = set().union(*map(setting_names, SERVICES))  # each is given to its program, and may change later
        environment = {name: value for name, value in inherited().items() if name not in settings}
        environment["SUPERVISOR_SERVER_URL"] = self.url
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Problem(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")
        wait_until(self.is_running, 10)

    def end_orphans(self) -> None:
        """What a supervisord that was killed has left behind, known by the address that it gave to its children."""
        orphans = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in orphans:
            for number in (signal.SIGCONT, signal.SIGINT):
                self._signal(process.pid, number)
        for process in psutil.wait_procs(orphans, timeout=STOP_SECONDS)[1]:
            process.kill()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("SUPERVISOR_SERVER_URL") == self.url
        except (psutil.Error, OSError):
            return False

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        """To the process and its children: a Postgres is several."""
        try:
            parent = psutil.Process(pid)
            family = [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue


def stands_still(pid: int) -> bool:
    """True after SIGSTOP, until SIGCONT; false for 0, and for what has ended."""
    try:
        return pid > 0 and psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Look every 50 ms; `Problem` if it is still false after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Problem(f"Waited {seconds} seconds in vain; `make status` tells more.")
        time.sleep(0.05)
