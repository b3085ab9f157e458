"""python -m tests.audit.measure 1000000: how long an audit of so many sagas takes, and how much memory.

It needs the four Postgres clusters of a stack (PORT_OFFSET says which) and about 4 kB of disk a saga; it makes
databases of its own and removes them. Not a test: on a busy machine its times say nothing.
"""

import asyncio
import resource
import sys
import time
from uuid import uuid4

from rich.console import Console

from audit.auditor import audit
from audit.databases import addresses
from audit.look import Options
from audit.report import show
from bench import consistent
from tests.support.stack import KAFKA_BROKER, OFFSET

console = Console(width=120, highlight=False)


async def measure(sagas: int) -> None:
    name, beside = f"audit_{uuid4().hex[:12]}", addresses(OFFSET)
    try:
        where = await consistent.create(name, beside)
        started = time.monotonic()
        await consistent.fill(where, sagas)
        for address in where:
            await consistent.execute(address, "vacuum analyze")
        console.print(f"{sagas:,} sagas written in {time.monotonic() - started:.0f} s")
        for _ in range(2):
            started, cpu = time.monotonic(), time.process_time()
            options = Options(where, KAFKA_BROKER, quiesced=True, strict=True)
            show(await audit(options), time.monotonic() - started, console)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            console.print(f"{time.process_time() - cpu:.1f} s of CPU in Python, at most {memory} MB")
    finally:
        await consistent.drop(name, beside)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1])))
