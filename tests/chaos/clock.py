"""A process whose clock is wrong: everything in it that asks for the time of day gets another one."""

import time
from uuid import UUID

import uuid_utils
import uuid_utils.compat

import chassis.messages


def skew(seconds: float) -> None:
    """From now on, in this process. What runs by the monotonic clock is not touched, as when a host's date is wrong."""
    if not seconds:
        return
    true_time_ns = time.time_ns

    def time_ns() -> int:
        return true_time_ns() + int(seconds * 1e9)

    def uuid7() -> UUID:
        return UUID(int=uuid_utils.uuid7(nanoseconds=time_ns()).int)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    uuid_utils.compat.uuid7 = chassis.messages.uuid7 = uuid7  # type: ignore[assignment, attr-defined]
