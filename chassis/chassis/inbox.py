"""The ids of the messages already handled: the inbox pattern (idempotent consumer)."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from chassis.database import Connection

CLAIM = """
with claimed as (
    insert into inbox (message_id) select unnest($1::uuid[]) on conflict do nothing returning message_id
)
select now() as now, coalesce(array_agg(message_id), '{}') as fresh from claimed"""


async def claim(connection: Connection, ids: Iterable[UUID]) -> tuple[datetime, set[UUID]]:
    """Enter the ids; return the database's clock and those ids that nobody had entered before.

    Sorted, so that two processes with overlapping batches wait for each other instead of deadlocking.
    """
    row = await connection.fetchrow(CLAIM, sorted(ids))
    assert row is not None
    return row["now"], set(row["fresh"])
