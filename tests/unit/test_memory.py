"""What a process remembers is bounded, and never more than a guess."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from chassis.clock import DatabaseClock
from chassis.memory import Memory


def test_what_was_kept_last_is_recalled_and_the_oldest_is_forgotten() -> None:
    memory: Memory[int] = Memory(most_rows=2)
    first, second, third = keys = [uuid4() for _ in range(3)]
    for number, key in enumerate(keys):
        memory.keep(key, number)
    assert memory.recall(keys) == {second: 1, third: 2}
    memory.keep(second, 10)
    memory.keep(first, 0)
    assert memory.recall(keys) == {second: 10, first: 0}


def test_a_row_that_is_not_worth_remembering_is_forgotten() -> None:
    memory: Memory[int] = Memory(most_rows=2)
    key = uuid4()
    memory.keep(key, 1)
    memory.keep(key, None)
    assert memory.recall([key]) == {}


def test_the_clock_knows_nothing_before_the_database_has_spoken_and_then_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, now = DatabaseClock(), 100.0
    monkeypatch.setattr("chassis.clock.monotonic", lambda: now)
    assert clock.now() is None
    said = datetime(2020, 1, 1, tzinfo=UTC)
    clock.heard(said)
    assert clock.now() == said
    now += 3600
    assert clock.now() == said + timedelta(hours=1)
