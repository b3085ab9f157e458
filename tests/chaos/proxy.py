"""A TCP proxy between a service and a server behind it, and what may go wrong on the way."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from local.instance import HOST

CHUNK_BYTES = 64 * 1024
LATENCY_SECONDS = 0.1
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER of a connection that is closed by a reset."""


class Way(StrEnum):
    """How the way is."""

    OPEN = "open"
    RESET = "reset"
    SILENT = "silence"
    REQUESTS_LOST = "requests lost"
    REPLIES_LOST = "replies lost"
    SLOW = "latency"


TO_SERVER = Way.REQUESTS_LOST
TO_CLIENT = Way.REPLIES_LOST
"""What holds up this direction; it comes through later, as TCP repeats what was lost."""


@dataclass(eq=False)
class Connection:
    """From a client to the server. One on which silence has fallen never says anything again, nor that it is cut."""

    ends: list[asyncio.StreamWriter]
    silent: bool

    def cut(self) -> None:
        """By a reset."""
        for writer in self.ends:
            if not writer.is_closing():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                writer.transport.abort()


class Proxy:
    """Listens on one port of this machine and leads to another one."""

    def __init__(self, name: str, port: int, server_port: int) -> None:
        self.name = name
        self.port = port
        self._server_port = server_port
        self._way = Way.OPEN
        self._changed = asyncio.Condition()
        self._connections: set[Connection] = set()
        self.taken = 0
        """How many connections have come this way."""

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
        for connection in self._connections:
            connection.silent |= way is Way.SILENT
        if way is Way.RESET:
            self._cut()

    def _cut(self) -> None:
        for connection in self._connections:
            connection.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection([writer], silent=self._way is Way.SILENT)
        self._connections.add(connection)
        self.taken += 1
        with suppress(OSError):
            if self._way is Way.RESET:
                connection.cut()
            server_reader, server_writer = await asyncio.open_connection(HOST, self._server_port)
            connection.ends.append(server_writer)
            await asyncio.gather(
                self._pass_on(connection, reader, server_writer, TO_SERVER),
                self._pass_on(connection, server_reader, writer, TO_CLIENT),
            )
        writer.close()
        self._connections.discard(connection)

    async def _pass_on(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: Way
    ) -> None:
        """Until either side ends; then the other is told so."""
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if connection.silent:
                    continue
                async with self._changed:
                    await self._changed.wait_for(lambda: self._way is not lost)
                if self._way is Way.SLOW:
                    await asyncio.sleep(LATENCY_SECONDS)
                writer.write(chunk)
                await writer.drain()
        writer.close()
