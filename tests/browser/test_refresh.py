"""The dashboard in a real browser while its server does not answer as it should: it looks live only when it is."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from saga_orchestrator.overview import Show
from saga_orchestrator.pages import HEADERS, page
from tests.browser.chromium import Browser, Connection, chromium
from tests.support.eventually import eventually

BINARY = os.environ.get("CHROMIUM", "chromium")
FAULTS = ("hangs", "breaks off", "is another page", "is an error", "is none")


class Server:
    """Answers the dashboard's first page; for each name in `?server=` it can be told to fail in one way."""

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}
        self.answers: dict[str, int] = defaultdict(int)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            await self.answer(parse_qs(urlsplit(target).query).get("server", [""])[0], writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, name: str, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.get(name)
        if fault == "hangs":
            await asyncio.sleep(60)
        if fault == "is none":
            return
        if fault is None:
            self.answers[name] += 1
        content = b"<p>Please log in</p>" if fault == "is another page" else self.page(name)
        head = [f"HTTP/1.1 {'503 Away' if fault == 'is an error' else '200 OK'}", f"Content-Length: {len(content)}"]
        head += [f"{name}: {value}" for name, value in HEADERS.items()]
        writer.write("\r\n".join([*head, "Content-Type: text/html", "Connection: close", "", ""]).encode())
        writer.write(content[:900] if fault == "breaks off" else content)
        await writer.drain()

    def page(self, name: str) -> bytes:
        counts = {"RUNNING": self.answers[name], "ATTENTION": 0}
        return bytes(
            page(
                "sagas.html", rows=[], older=None, newer=None, show=Show.ALL, counts=counts, base_url="http://here/"
            ).body
        )


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, Server]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", server
    listening.close()


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with chromium(BINARY, tmp_path) as browser:
        yield browser


async def test_a_page_says_within_ten_seconds_that_it_may_be_old_and_goes_on_by_itself(
    server: tuple[str, Server], browser: Browser
) -> None:
    url, control = server
    await asyncio.gather(*(survives(fault, url, control, browser) for fault in FAULTS))


async def survives(fault: str, url: str, server: Server, browser: Browser) -> None:
    name = fault.replace(" ", "-")
    async with browser.page(f"{url}?server={name}") as page:
        await eventually(lambda: counts(page, at_least=2))
        server.faults[name] = fault
        await eventually(lambda: shows_banner(page, True), within=10)
        assert int(await page.value("document.getElementById('age').textContent")) >= 7
        del server.faults[name]
        answered = server.answers[name]
        await eventually(lambda: counts(page, at_least=answered + 1), within=10)
        await eventually(lambda: shows_banner(page, False), within=10)


async def counts(page: Connection, at_least: int) -> None:
    """The page shows the server's answers so far."""
    shown = await page.value("document.querySelector('nav .running b')?.textContent")
    assert shown is not None
    assert int(shown) >= at_least


async def shows_banner(page: Connection, wanted: bool) -> None:
    display = await page.value("getComputedStyle(document.querySelector('p.stale')).display")
    assert (display != "none") is wanted
