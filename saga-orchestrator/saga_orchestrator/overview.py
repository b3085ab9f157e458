"""Pages of sagas for people, and counts: cheap however many are stored, since each looks at so many and no more."""

from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from chassis import database
from chassis.database import Pool
from saga_orchestrator.instance import SagaInstance, UnreadableSaga
from saga_orchestrator.queries import COLUMNS, read_if_possible

NAMES = [field.name for field in fields(SagaInstance)]
PAGE = 50
LOOKED_THROUGH = 1_000
"""Sagas that a page or a count looks at, however many are stored: nobody pays for an index of what has ended."""
NEWEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class Show(StrEnum):
    """Which sagas."""

    ALL = "ALL"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ATTENTION = "ATTENTION"


SOURCES = {
    Show.ALL: ("sagas", "true"),
    Show.RUNNING: (f"(select {COLUMNS} from sagas where status = 'RUNNING' offset 0)", "true"),
    Show.COMPLETED: ("sagas", "status = 'COMPLETED'"),
    Show.FAILED: ("sagas", "status = 'FAILED'"),
    Show.ATTENTION: (f"(select {COLUMNS} from sagas where needs_attention is not null offset 0)", "true"),
}
"""What is looked at, and what of it is shown. The few that run have indexes; `offset 0` has them read first."""


async def find_page(
    pool: Pool, show: Show, before: tuple[datetime, UUID] = NEWEST
) -> tuple[list[SagaInstance | UnreadableSaga], UUID | None]:
    """The newest of these sagas that are older than that, and the one before which to look for more, if any."""
    looked_at, wanted = SOURCES[show]
    rows = await database.read(
        pool,
        f"""
        select *, {wanted} as wanted from (
            select {COLUMNS}, row_number() over (order by created_at desc, saga_id desc) as place
            from {looked_at} as sagas where (created_at, saga_id) < ($1, $2)
            order by created_at desc, saga_id desc limit {LOOKED_THROUGH}
        ) as looked_at where {wanted} or place = {LOOKED_THROUGH}
        order by created_at desc, saga_id desc limit {PAGE + 1}""",
        *before,
    )
    page = rows[:PAGE]
    more = len(rows) > PAGE or (rows and rows[-1]["place"] == LOOKED_THROUGH)
    sagas = [read_if_possible({name: row[name] for name in NAMES}) for row in page if row["wanted"]]
    return sagas, page[-1]["saga_id"] if more else None


async def count_sagas(pool: Pool) -> dict[Show, int]:
    """How many run and need attention, at most `LOOKED_THROUGH` each; how the latest `LOOKED_THROUGH` have ended."""
    (counts,) = await database.read(
        pool,
        f"""
        with running as (select from sagas where status = 'RUNNING' limit {LOOKED_THROUGH}),
             attention as (select from sagas where needs_attention is not null limit {LOOKED_THROUGH}),
             latest as (select status from sagas order by created_at desc limit {LOOKED_THROUGH})
        select (select count(*) from running) as "RUNNING", (select count(*) from attention) as "ATTENTION",
               count(*) filter (where status = 'COMPLETED') as "COMPLETED",
               count(*) filter (where status = 'FAILED') as "FAILED"
        from latest""",
    )
    return {Show(name): count for name, count in counts.items()}
