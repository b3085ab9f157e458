"""The role by which the auditor reads."""

import asyncio
from uuid import uuid4

import pytest

from audit import databases
from audit.databases import Address, login, snapshots

TOGETHER = 6


async def test_auditors_who_are_the_first_at_the_same_time_can_all_read(
    audited: list[Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"auditor_{uuid4().hex}"
    monkeypatch.setattr(databases, "ROLE", role)

    async def look() -> None:
        async with snapshots(audited) as seen:
            for database in seen.by_service.values():
                await database.fetchval("select count(*) from outbox")

    await asyncio.gather(*(look() for _ in range(TOGETHER)))
    for address in audited:
        owner = await login(address)
        await owner.execute(f"drop owned by {role}; drop role {role}")
        await owner.close()
