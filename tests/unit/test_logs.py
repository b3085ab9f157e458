"""A chatty library may say so much and no more."""

import logging

from chassis.logs import RateLimit

LINE = logging.makeLogRecord({"name": "aiokafka", "msg": "broker away"})


def test_so_many_lines_pass_and_then_none() -> None:
    limit = RateLimit(lines_per_minute=3)
    passed = [limit.filter(LINE) for _ in range(100)]
    assert sum(passed) in (3, 6), "6 if a minute began in between"
    assert passed[:3] == [True] * 3
