"""Forward-only migrations: one transaction each, under an advisory lock, with a checksum."""

import hashlib
from collections.abc import Iterable
from importlib.resources.abc import Traversable

import asyncpg
import structlog

from chassis.errors import MigrationChanged

log = structlog.get_logger()

ADVISORY_LOCK = 7_236_411
CREATE_TABLE = """
create table if not exists schema_migrations (
    name       text primary key,
    checksum   text not null,
    applied_at timestamptz not null default now()
)"""


async def apply(connection: "asyncpg.Connection[asyncpg.Record]", folders: Iterable[Traversable]) -> None:
    """Apply what is missing, folder by folder and file by file; `MigrationChanged` if an applied file was edited."""
    await connection.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
    try:
        await connection.execute(CREATE_TABLE)
        applied = await connection.fetch("select name, checksum from schema_migrations")
        done = {row["name"]: row["checksum"] for row in applied}
        for folder in folders:
            for file in sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name):
                await _apply_one(connection, file, done)
    finally:
        await connection.execute("select pg_advisory_unlock($1)", ADVISORY_LOCK)


async def _apply_one(connection: "asyncpg.Connection[asyncpg.Record]", file: Traversable, done: dict[str, str]) -> None:
    sql = file.read_text()
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if file.name in done:
        if done[file.name] != checksum:
            raise MigrationChanged(f"{file.name} was edited after it had been applied: write a new migration instead")
        return
    async with connection.transaction():
        await connection.execute(sql)
        await connection.execute("insert into schema_migrations (name, checksum) values ($1, $2)", file.name, checksum)
    log.info("migration applied", name=file.name)
