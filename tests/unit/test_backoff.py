"""Growing pauses."""

import asyncio
from typing import Any

import pytest

from chassis.loops import Backoff


class Clock:
    """An event loop's sleep that takes no time."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float, *_: Any) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


async def test_pauses_double_up_to_the_longest(clock: Clock) -> None:
    backoff = Backoff(first=0.1, longest=1.0)
    for _ in range(6):
        await backoff.pause()
    assert clock.pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


async def test_after_a_success_pauses_begin_anew(clock: Clock) -> None:
    backoff = Backoff(first=0.1, longest=1.0)
    await backoff.pause()
    await backoff.pause()
    backoff.reset()
    await backoff.pause()
    assert clock.pauses == [0.1, 0.2, 0.1]


async def test_an_outage_of_an_hour_does_not_end_the_pauses(clock: Clock) -> None:
    backoff = Backoff(first=0.1, longest=2.0, tries=1_800)
    await backoff.pause()
    assert clock.pauses == [2.0]
