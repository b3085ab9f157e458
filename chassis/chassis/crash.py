"""Named places where a test may kill the process: `CRASH_AT=batch.committed`, or `…@OneType,OrAnother` for some types.

Inert unless the variable is set. The process dies by SIGKILL, as it would if somebody pulled the plug.
"""

import os
import signal
import sys
from collections.abc import Iterable
from typing import Literal

_POINT, _, _TYPE = os.environ.get("CRASH_AT", "").partition("@")

CrashPoint = Literal[
    "batch.before_commit",
    "batch.committed",
    "relay.leased",
    "relay.before_send",
    "relay.acknowledged",
    "consumer.before_offset_commit",
    "retry.parked",
    "order_call.answered",
    "checkout.accepted",
    "redrive.sent",
]


def crash_point(name: CrashPoint, types: Iterable[str] = ()) -> None:
    """Die here if `CRASH_AT` names this point (and, after an @, one of the message types at hand)."""
    if name == _POINT and (not _TYPE or not set(_TYPE.split(",")).isdisjoint(types)):
        print(f"crash point {name} {_TYPE} reached, killing this process", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
