"""The inbox: each id once."""

from uuid import uuid4

import asyncpg
import pytest

from chassis import inbox
from chassis.database import Pool
from chassis.writes import save


async def test_an_id_is_entered_once_and_takes_the_rest_of_its_batch_with_it(pool: Pool) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    await save(pool, [inbox.enter({first, second})])
    with pytest.raises(asyncpg.UniqueViolationError):
        await save(pool, [inbox.enter({second, third})])
    assert {row["message_id"] for row in await pool.fetch("select message_id from inbox")} == {first, second}
