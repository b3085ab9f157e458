"""python -m bench.without LEVER MODULE: a service with one lever taken out, to measure what that lever gives.

From outside, by a setting where there is one and else by a patch: nothing in the product can do this.
"""

import os
import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import uvicorn

from chassis import kafka, outbox
from chassis.batcher import Batcher


@dataclass(frozen=True)
class Without:
    """What is done to take it out."""

    settings: Mapping[str, str] = field(default_factory=dict)
    patch: Callable[[], None] = lambda: None


def _replace(owner: Any, name: str, by: Callable[[Any], Any]) -> None:
    """By something that may use what was there."""
    setattr(owner, name, by(getattr(owner, name)))


def _publish_nothing_from_memory() -> None:
    """What is committed is due at once, and a poll finds it."""

    def ignoring(whole: Any) -> Any:
        def init(self: Any, *arguments: Any) -> None:
            whole(self, *((lambda _: None) if getattr(a, "__name__", "") == "publish" else a for a in arguments))

        return init

    _replace(Batcher, "__init__", ignoring)
    _replace(outbox, "write", lambda whole: lambda messages, _: whole(messages, lease_seconds=0))


def _run_on_asyncio() -> None:
    _replace(uvicorn, "run", lambda whole: partial(whole, loop="asyncio"))


def _plan_each_statement_anew() -> None:
    anew = {"plan_cache_mode": "force_custom_plan"}
    _replace(
        asyncpg,
        "create_pool",
        lambda whole: lambda server_settings, **named: whole(server_settings=server_settings | anew, **named),
    )


def _linger() -> None:
    _replace(kafka, "AIOKafkaProducer", lambda whole: lambda **named: whole(**named | {"linger_ms": 5}))


LEVERS = {
    "nothing": Without(),
    "batches": Without({"BATCH_MAX_MESSAGES": "1"}),
    "publishing from memory": Without({"RELAY_TICK_SECONDS": "0.05"}, _publish_nothing_from_memory),
    "memory of rows": Without({"MEMORY_MAX_ROWS": "0"}),
    "one request for many orders": Without({"ORDER_CALL_MAX_COMMANDS": "1", "ORDER_CALLS_PARALLEL": "64"}),
    "waiting 2 ms for more": Without({"BATCH_WINDOW_MS": "0"}),
    "offsets once a second": Without({"COMMIT_EVERY_SECONDS": "1e-9"}),
    "generic plans": Without(patch=_plan_each_statement_anew),
    "linger 0": Without(patch=_linger),
    "uvloop": Without(patch=_run_on_asyncio),
}

if __name__ == "__main__":
    _, lever, module = sys.argv
    LEVERS[lever].patch()
    os.environ.update(LEVERS[lever].settings)
    runpy.run_module(module, run_name="__main__")
