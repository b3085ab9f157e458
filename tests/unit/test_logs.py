"""A chatty library may say so much a minute and no more."""

import logging

from chassis.logs import RateLimit

CHATTY = logging.makeLogRecord({"name": "chatty.client", "msg": "broker away"})
QUIET = logging.makeLogRecord({"name": "quiet", "msg": "a word"})


class Clock:
    """Says what it is told to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_so_many_lines_pass_in_a_minute_and_as_many_in_the_next() -> None:
    clock = Clock()
    limit = RateLimit(("chatty",), lines_per_minute=3, clock=clock)
    assert [limit.filter(CHATTY) for _ in range(5)] == [True, True, True, False, False]
    clock.seconds = 59.9
    assert not limit.filter(CHATTY)
    clock.seconds = 60
    assert [limit.filter(CHATTY) for _ in range(5)] == [True, True, True, False, False]


def test_other_loggers_say_what_they_like_and_use_nothing_up() -> None:
    limit = RateLimit(("chatty",), lines_per_minute=3, clock=Clock())
    assert all(limit.filter(QUIET) for _ in range(100))
    assert [limit.filter(CHATTY) for _ in range(4)] == [True, True, True, False]
