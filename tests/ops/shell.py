"""`python -m ops` as an operator runs it."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from ops.letters import connected
from tests.support.eventually import eventually
from tests.support.stack import KAFKA_BROKER, OFFSET, ROOT


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    error: str

    @property
    def events(self) -> list[str]:
        """The structured lines, by what they tell."""
        return [json.loads(line)["event"] for line in self.out.splitlines()]


async def ops(*arguments: str, crash_at: str = "") -> Done:
    environment = {"PORT_OFFSET": str(OFFSET), "KAFKA_BROKER": KAFKA_BROKER, "CRASH_AT": crash_at}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops", *arguments),
        cwd=ROOT,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), error.decode())


async def signed(*arguments: str, crash_at: str = "") -> Done:
    """An action of a named operator with a reason."""
    return await ops(*arguments, "--by", "a test", "--why", "to see what it does", crash_at=crash_at)


async def open_letters(*choice: str) -> list[dict[str, Any]]:
    done = await ops("dlq", "list", "--json", *choice)
    assert done.code == 0, done.error
    letters: list[dict[str, Any]] = json.loads(done.out)
    return letters


async def letter_of(message_id: str, redrives: int = 0) -> dict[str, Any]:
    """The one open dead letter of this message that came back so often, as soon as it is there.

    The waiting is done in this process: an operator's command takes more than a second to begin.
    """
    async with connected(KAFKA_BROKER) as reader:

        async def is_there() -> None:
            found = [each async for each in reader.all(but=await reader.closed())]
            ours = [each for each in found if each.headers.get("message-id") == message_id]
            assert [each.redrives for each in ours] == [redrives]

        await eventually(is_there)
    (letter,) = [each for each in await open_letters() if each["messageId"] == message_id]
    return letter
