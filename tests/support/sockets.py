"""HTTP as bytes on a socket: what no client library would send, or as slowly."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """The next answer, with a body of the length that it announces."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await self.reader.readexactly(int(lines.get("content-length", 0)))
        return Answer(int(head.split()[1]), lines, body)

    async def rest(self) -> bytes:
        """Everything until the server ends its side."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.read()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def exchange(url: str, data: bytes) -> Answer:
    """The first answer to these bytes."""
    async with connected(url) as connection:
        await connection.send(data)
        return await connection.answer()


def request(line: str, *headers: str, body: bytes = b"", chunked: bool = False) -> bytes:
    """One request as bytes; with a body, its length or chunks."""
    lines: Iterable[Any] = (line + " HTTP/1.1", "Host: here", *headers)
    if chunked:
        lines = (*lines, "Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    elif body:
        lines = (*lines, f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def statuses(stream: bytes) -> list[int]:
    """Of all answers in what a connection said."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", stream)]
