"""A background loop that dies takes its process with it, so that somebody starts it again."""

import asyncio
import signal
import subprocess
import sys

import pytest

from chassis.loops import background

PROGRAM = """
import asyncio, signal
from chassis.loops import background

async def dies():
    raise RuntimeError("out of luck")

async def returns():
    pass

async def is_cancelled():
    other = asyncio.create_task(asyncio.sleep(60))
    other.cancel()
    await other

async def lives():
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)

async def main(*loops):
    told = asyncio.Event()
    if LISTENS:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with background(**{loop.__name__: loop for loop in loops}):
        await asyncio.sleep(0.1 if loops in ((), (lives,)) else 60)
    print("body ended", flush=True)
    if dies in loops:
        await told.wait()
        print("told to stop", flush=True)

asyncio.run(main(*LOOPS))
"""


def run(loops: str, listens: bool = False) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.replace("LOOPS", loops).replace("LISTENS", str(listens))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)


def test_a_loop_that_dies_ends_the_process_and_the_log_says_why() -> None:
    done = run("(dies, lives)")
    assert done.returncode == -signal.SIGTERM
    assert "cleaned up" in done.stdout
    assert "out of luck" in done.stdout + done.stderr


@pytest.mark.parametrize(("loop", "why"), [("returns", "it returned"), ("is_cancelled", "cancelled from within")])
def test_a_loop_that_ends_in_any_other_way_does_too(loop: str, why: str) -> None:
    done = run(f"({loop}, lives)")
    assert done.returncode == -signal.SIGTERM
    assert "cleaned up" in done.stdout
    assert why in done.stdout + done.stderr


def test_whoever_handles_sigterm_is_told_in_order() -> None:
    done = run("(dies, lives)", listens=True)
    lines = done.stdout.splitlines()
    assert [line for line in lines if line in ("cleaned up", "body ended", "told to stop")] == [
        "cleaned up",
        "body ended",
        "told to stop",
    ]


@pytest.mark.parametrize("loops", ["(lives,)", "()"])
def test_loops_that_live_are_cancelled_when_the_body_ends(loops: str) -> None:
    done = run(loops)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "body ended")


async def test_an_error_of_the_body_is_its_own_and_ends_no_process() -> None:
    async def lives() -> None:
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        async with background(lives=lives):
            raise ZeroDivisionError
