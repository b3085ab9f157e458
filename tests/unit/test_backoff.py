"""Growing pauses."""

from chassis.loops import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(first_seconds=0.1, longest_seconds=1.0)
    assert [backoff.next() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_after_a_success_pauses_begin_anew() -> None:
    backoff = Backoff(first_seconds=0.1, longest_seconds=1.0)
    before = [backoff.next(), backoff.next()]
    backoff.reset()
    assert [*before, backoff.next()] == [0.1, 0.2, 0.1]


def test_an_outage_of_an_hour_does_not_end_the_pauses() -> None:
    assert Backoff(first_seconds=0.1, longest_seconds=2.0, tries=1_800).next() == 2.0
