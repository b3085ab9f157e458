"""Only a consumer that stands still while there is something to read ends its process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition

from chassis.errors import ConsumerStuck
from chassis.watchdog import Watchdog
from payment_service.settings import Settings

PARTITION = TopicPartition("payment.charge.command", 0)


@dataclass(frozen=True)
class Look:
    """What the watchdog finds, so many seconds after the start."""

    at: float
    lag: int = 1
    progress_at: float = 0
    busy: bool = False
    paused: bool = False


OVER = Look(0)


class Over(Exception):
    """There is nothing more to look at."""


class Reader:
    """A consumer as the watchdog sees it, look after look."""

    def __init__(self, looks: Iterator[Look]) -> None:
        self._looks = looks
        self.now = Look(0)

    @property
    def kafka(self) -> "Reader":
        self.now = next(self._looks, OVER)
        if self.now is OVER:
            raise Over
        return self

    @property
    def busy(self) -> bool:
        return self.now.busy

    @property
    def progress_at(self) -> float:
        return self.now.progress_at

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    def paused(self) -> set[TopicPartition]:
        return {PARTITION} if self.now.paused else set()

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 10 + self.now.lag)

    async def position(self, _: TopicPartition) -> int:
        return 10


@pytest.mark.parametrize(
    ("looks", "end"),
    [
        ([Look(1), Look(30), Look(62)], 62),
        ([Look(1), Look(30), Look(60)], None),
        ([Look(1), Look(62, lag=0)], None),
        ([Look(1), Look(30, lag=0), Look(62), Look(90)], None),
        ([Look(1), Look(30, lag=0), Look(62), Look(90), Look(123)], 123),
        ([Look(1), Look(62, progress_at=40), Look(101, progress_at=40)], 101),
        ([Look(1), Look(62, busy=True), Look(63)], None),
        ([Look(1), Look(62, paused=True), Look(63)], None),
    ],
    ids=["still", "not yet", "read all", "idle between", "again", "slow", "busy", "resting"],
)
async def test_a_minute_of_lag_without_progress_ends_the_process(
    looks: list[Look], end: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader: Any = Reader(iter(looks))
    monkeypatch.setattr("chassis.watchdog.monotonic", lambda: reader.now.at)
    settings = Settings(stuck_after_seconds=60)
    settings.stuck_check_seconds = 0
    with pytest.raises(Over if end is None else ConsumerStuck):
        await Watchdog(reader, settings).run()
    assert end in (None, reader.now.at)
