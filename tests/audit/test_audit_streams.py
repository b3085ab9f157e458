"""A stream of rows ends, whatever happens to the connection of another."""

import asyncio

import asyncpg
import pytest

from audit.databases import Address, login
from audit.streams import blocks, merge

ROWS = "select lpad(to_hex(n), 32, '0')::uuid from generate_series({}, {} + 2000000) n"
FULL = 5
"""After so many blocks of the first stream, which come first, the second has all that it can hold."""
PATIENCE_SECONDS = 10


async def test_a_connection_that_dies_in_the_middle_is_an_error_and_no_stream_waits_for_ever(
    audited: list[Address],
) -> None:
    owner, *sides = [await login(address) for address in (audited[0], *audited[:2])]
    streams = [blocks(side, ROWS.format(n, n), columns="uuid") for n, side in zip((0, 9000000), sides, strict=True)]

    async def read() -> None:
        seen = 0
        async for _ in merge(*streams):
            if (seen := seen + 1) == FULL:
                await owner.execute("select pg_terminate_backend($1)", sides[0].get_server_pid())

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await read()
    _, waiting = await asyncio.wait([asyncio.ensure_future(s.aclose()) for s in streams], timeout=PATIENCE_SECONDS)
    assert not waiting
    for connection in (owner, *sides):
        connection.terminate()
