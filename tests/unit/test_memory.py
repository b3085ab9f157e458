"""What a process remembers is bounded, and never more than a guess."""

from datetime import UTC, datetime
from uuid import uuid4

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


def test_the_clock_knows_nothing_before_the_database_has_spoken_and_never_goes_back() -> None:
    clock = DatabaseClock()
    assert clock.now() is None
    said = datetime(2020, 1, 1, tzinfo=UTC)
    clock.heard(said)
    first, second = clock.now(), clock.now()
    assert first is not None
    assert second is not None
    assert said <= first <= second
