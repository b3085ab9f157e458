"""A TCP proxy between a service and a server behind it, and what may go wrong on the way."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from local.instance import HOST

CHUNK_BYTES = 64 * 1024
LATENCY_SECONDS = 0.1
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER of a connection that is closed by a reset."""


class Way(StrEnum):
    """How the way is. What is held up comes through later, as TCP repeats what was lost."""

    OPEN = "open"
    RESET = "reset"
    SILENT = "silence"
    REQUESTS_LOST = "requests lost"
    REPLIES_LOST = "replies lost"
    SLOW = "latency"


TO_SERVER = {Way.SILENT, Way.REQUESTS_LOST}
TO_CLIENT = {Way.SILENT, Way.REPLIES_LOST}
"""In which state of the way nothing passes in this direction."""


class Proxy:
    """Listens on one port of this machine and leads to another one."""

    def __init__(self, name: str, port: int, server_port: int) -> None:
        self.name = name
        self.port = port
        self._server_port = server_port
        self._way = Way.OPEN
        self._changed = asyncio.Condition()
        self._connections: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen while the block runs; then every connection is cut."""
        async with await asyncio.start_server(self._serve, HOST, self.port):
            yield
            self._cut()

    @asynccontextmanager
    async def failing(self, way: Way) -> AsyncIterator[None]:
        """Inside this block the way is so."""
        await self._become(way)
        try:
            yield
        finally:
            await self._become(Way.OPEN)

    async def _become(self, way: Way) -> None:
        async with self._changed:
            self._way = way
            self._changed.notify_all()
        if way is Way.RESET:
            self._cut()

    def _cut(self) -> None:
        for writer in [w for w in self._connections if not w.is_closing()]:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(OSError):
            if self._way is Way.RESET:
                self._cut()
                return
            server_reader, server_writer = await asyncio.open_connection(HOST, self._server_port)
            self._connections.add(server_writer)
            await asyncio.gather(
                self._pass_on(reader, server_writer, TO_SERVER), self._pass_on(server_reader, writer, TO_CLIENT)
            )
            self._connections.discard(server_writer)
        self._connections.discard(writer)
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: set[Way]) -> None:
        """Until either side ends; then the other is told so."""
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                async with self._changed:
                    await self._changed.wait_for(lambda: self._way not in held)
                if self._way is Way.SLOW:
                    await asyncio.sleep(LATENCY_SECONDS)
                writer.write(chunk)
                await writer.drain()
        writer.close()
