"""A crash point kills the process when CRASH_AT names it, and does nothing otherwise."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = "from chassis.crash import crash_point; crash_point('batch.committed', ['PaymentFailed']); print('alive')"


def run(crash_at: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CRASH_AT": crash_at}
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "crash_at", ["batch.committed", "batch.committed@PaymentFailed", "batch.committed@A,PaymentFailed"]
)
def test_a_named_point_kills_the_process_at_once_and_says_so(crash_at: str) -> None:
    done = run(crash_at)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert "batch.committed" in done.stderr


@pytest.mark.parametrize("crash_at", ["", "batch.before_commit", "batch.committed@PaymentCharged"])
def test_any_other_point_lets_the_process_live(crash_at: str) -> None:
    done = run(crash_at)
    assert (done.returncode, done.stdout) == (0, "alive\n")
