"""The one statement that saves a batch: a part for each table, all of them or none.

One round trip instead of one a table, and the statement is the transaction. Optimistic concurrency control as Kung and
Robinson described it (1981): nothing is locked beforehand, and the statement refuses itself if a row has changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from chassis.database import Connection, Pool

PLACEHOLDER = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Write:
    """One table's part: `insert` or `update` over `unnest($1, …)`, without `returning`.

    `rows` is how many it must touch; if it touches another number, nothing of the whole statement happens.
    """

    sql: str
    arguments: tuple[Any, ...]
    rows: int | None = None


async def save(connection: "Connection | Pool", writes: Sequence[Write]) -> datetime:
    """Do all of it in one transaction; the database's clock. `SerializationError`: another process was faster."""
    sql = _statement(tuple((write.sql, len(write.arguments), write.rows is not None) for write in writes))
    wanted = sum(write.rows for write in writes if write.rows is not None)
    now: datetime = await connection.fetchval(sql, *(a for write in writes for a in write.arguments), wanted)
    return now


@cache
def _statement(parts: tuple[tuple[str, int, bool], ...]) -> str:
    """Each part numbers its placeholders from $1; here they get their place in the whole."""
    tables, touched, before = [], ["0"], 0
    for number, (sql, arguments, counts) in enumerate(parts):
        shifted = PLACEHOLDER.sub(lambda found, by=before: f"${int(found[1]) + by}", sql)  # type: ignore[misc]
        tables.append(f"part{number} as ({shifted} returning 1)")
        before += arguments
        if counts:
            touched.append(f"(select count(*) from part{number})")
    return f"with {', '.join(tables)} select now() from refuse_unless(${before + 1}, {' + '.join(touched)})"
