"""A real Chromium, driven over its debugging port."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect


class Connection:
    """To the browser, or to one page of it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.asked = 0

    async def call(self, method: str, **params: Any) -> Any:
        self.asked += 1
        await self.socket.send(json.dumps({"id": self.asked, "method": method, "params": params}))
        while (answer := json.loads(await self.socket.recv())).get("id") != self.asked:
            pass
        return answer["result"]

    async def value(self, expression: str) -> Any:
        """What this JavaScript comes to in the page."""
        return (await self.call("Runtime.evaluate", expression=expression))["result"].get("value")


class Browser:
    def __init__(self, address: str) -> None:
        self.address = address

    @asynccontextmanager
    async def page(self, url: str) -> AsyncIterator[Connection]:
        """A page in a window of its own: in a tab behind another it would be hidden."""
        async with connect(self.address, max_size=None) as socket:
            target = (await Connection(socket).call("Target.createTarget", url=url, newWindow=True))["targetId"]
        async with connect(re.sub("/devtools/.*", f"/devtools/page/{target}", self.address), max_size=None) as socket:
            yield Connection(socket)


@asynccontextmanager
async def chromium(binary: str, folder: Path) -> AsyncIterator[Browser]:
    """The browser, with everything that it stores in this folder."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--remote-debugging-port=0")
    process = await asyncio.create_subprocess_exec(
        binary, *options, "about:blank", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            said = b""
            while not (found := re.search(rb"ws://\S+", said)):
                line = await process.stderr.readline()
                assert line, f"{binary} ended: {said.decode()}"
                said += line
        yield Browser(found[0].decode())
    finally:
        process.kill()
        await process.wait()
