"""What must hold at the end, however it came about: the books agree, and the auditor says so too."""

import asyncio
import json
import sys
from typing import Any

from tests.chaos.system import System
from tests.support.consistency import orders_of
from tests.support.load import History
from tests.support.stack import OFFSET, ROOT

ALL_BUT_DEAD_LETTERS = ",".join(f"I{number}" for number in range(1, 11))
ALL = f"{ALL_BUT_DEAD_LETTERS},I11"


async def assert_all_well(system: System, history: History) -> None:
    """Every checkout that these customers were told of has ended, none is lost or doubled, and all services work."""
    await system.agree(history.saga_ids, within=90)
    assert await orders_of(system.databases, history.users) == history.order_ids
    assert len(history.order_ids) == len(history.users)
    await system.ready()
    await assert_audit_is_clean()


async def assert_none_parked(system: System) -> None:
    """No message was blamed for what its server did: such errors count against nobody."""
    parked = {p.name: await p.metric("parked_messages_total") for p in system.processes.values()}
    assert set(parked.values()) == {0}, parked


async def assert_audit_is_clean(only: str = ALL_BUT_DEAD_LETTERS, *options: str) -> None:
    """Exit 0, once nothing is on its way any more."""
    code, report = await audit("--only", only, "--quiesced", *options)
    assert code == 0, json.dumps([v for v in report["invariants"] if v["violations"]], indent=1)


async def audit(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The auditor's exit code and its report."""
    command = (sys.executable, "-m", "audit", "--json", "--port-offset", str(OFFSET), *arguments)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode in (0, 1), f"the auditor could not look: {out.decode()}{err.decode()}"
    report: dict[str, Any] = json.loads(out)
    return process.returncode, report
