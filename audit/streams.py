"""Rows of one width, streamed in binary and merged by key: databases that cannot be joined, in flat memory."""

import asyncio
import struct
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator
from operator import itemgetter
from typing import Any, TypeAlias

from audit.databases import Connection

Row: TypeAlias = tuple[Any, ...]

BLOCK_BYTES = 2_000_000
HEADER_BYTES = 19
END = b""
CODES = {"uuid": "16s", "int2": "h", "int8": "q"}
FIRST = itemgetter(0)


async def blocks(connection: Connection, query: str, *args: object, columns: str) -> AsyncGenerator[list[Row], None]:
    """The rows of a query in large blocks; `columns` are its types (`uuid int2 int8`), none of them null.

    A uuid comes as 16 bytes, which sort as Postgres sorts uuids.
    """
    layout = struct.Struct(">2x" + "".join("4x" + CODES[name] for name in columns.split()))
    chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=8)

    async def copy() -> None:
        try:
            await connection.copy_from_query(query, *args, output=chunks.put, format="binary")
        except Exception:  # not a cancellation: then nobody reads, and the queue may be full for ever
            await chunks.put(END)
            raise
        await chunks.put(END)

    copying = asyncio.create_task(copy())
    try:
        rest, skip = b"", HEADER_BYTES
        while (chunk := await chunks.get()) != END:
            rest += chunk
            if len(rest) >= BLOCK_BYTES:
                whole = skip + (len(rest) - skip) // layout.size * layout.size
                yield list(layout.iter_unpack(memoryview(rest)[skip:whole]))
                rest, skip = rest[whole:], 0
        await copying
        if last := list(layout.iter_unpack(memoryview(rest)[skip:-2])):  # two bytes of trailer
            yield last
    finally:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)  # its error has been raised above, or nobody reads on


async def merge(*sides: AsyncGenerator[list[Row], None]) -> AsyncIterator[list[dict[bytes, Row]]]:
    """Streams sorted by their first column, range by range: for each side a dict of the rows in that range."""
    waiting: list[list[Row]] = [[] for _ in sides]
    ended = [False for _ in sides]
    try:
        while True:
            for i, side in enumerate(sides):
                if not waiting[i] and not ended[i]:
                    waiting[i] = await anext(side, [])
                    ended[i] = not waiting[i]
            lasts = [rows[-1][0] for rows in waiting if rows]
            if not lasts:
                return
            cuts = [bisect_right(rows, min(lasts), key=FIRST) for rows in waiting]
            yield [{row[0]: row for row in rows[:cut]} for rows, cut in zip(waiting, cuts, strict=True)]
            waiting = [rows[cut:] for rows, cut in zip(waiting, cuts, strict=True)]
    finally:
        for side in sides:
            await side.aclose()
