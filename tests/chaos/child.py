"""What runs inside a forked process: a service's own main, and a way to say later where it shall die."""

import os
import runpy
import signal
from collections.abc import Mapping
from pathlib import Path

# Loaded once, before the fork: a service that starts a hundred times would load them a hundred times.
import aiohttp  # noqa: F401

import chassis.app
import chassis.batcher
import chassis.consumer
import chassis.crash
import chassis.health
import chassis.housekeeping
import chassis.watchdog
from tests.chaos.clock import skew


def become(module: str, environment: Mapping[str, str], log: str) -> None:
    """Run a service's main as `python -m module` would; SIGUSR1 makes it read the file named by ARM."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    orders = Path(environment["ARM"])
    _die_at(environment["CRASH_AT"])
    skew(float(environment.get("CLOCK_SKEW_SECONDS", "0")))

    def arm(*_: object) -> None:
        _die_at(orders.read_text())
        orders.unlink()

    signal.signal(signal.SIGUSR1, arm)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _die_at(crash_at: str) -> None:
    """As the variable CRASH_AT would have it, had chassis.crash been loaded only now."""
    chassis.crash._POINT, _, chassis.crash._TYPE = crash_at.partition("@")
