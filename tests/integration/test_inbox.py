"""The inbox lets one transaction have a message, and the next only if the first did not keep it."""

import asyncio
from uuid import UUID, uuid4

import pytest

from chassis import inbox
from chassis.database import Connection, Pool
from tests.support.eventually import eventually


async def test_an_id_is_fresh_once(pool: Pool) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    async with pool.acquire() as connection:
        assert (await inbox.claim(connection, {first, second}))[1] == {first, second}
        assert (await inbox.claim(connection, {second, third}))[1] == {third}
        assert (await inbox.claim(connection, set()))[1] == set()


@pytest.mark.parametrize("kept", [True, False])
async def test_a_second_claim_waits_for_the_first_transaction(pool: Pool, kept: bool) -> None:
    message_id = uuid4()
    async with pool.acquire() as first, pool.acquire() as second:
        transaction = first.transaction()
        await transaction.start()
        await inbox.claim(first, [message_id])
        waiting = asyncio.create_task(fresh(second, message_id))
        await eventually(lambda: assert_waits(pool))
        await (transaction.commit() if kept else transaction.rollback())
        assert await waiting == (set() if kept else {message_id})


async def fresh(connection: Connection, message_id: UUID) -> set[UUID]:
    return (await inbox.claim(connection, [message_id]))[1]


async def assert_waits(pool: Pool) -> None:
    assert await pool.fetchval("select count(*) from pg_locks where not granted") == 1
