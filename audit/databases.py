"""The four databases as the auditor reads them: one read-only snapshot of each, by a role that can only read."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import asyncpg
from pydantic import ValidationError

from chassis.environment import complaints
from chassis.errors import CannotConnect
from chassis.login import BY_ARGUMENT, connect, tls
from chassis.settings import Settings
from inventory_service.settings import Settings as InventorySettings
from local.problem import Problem
from order_service.settings import Settings as OrderSettings
from payment_service.settings import Settings as PaymentSettings
from saga_orchestrator.settings import Settings as OrchestratorSettings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ROLE, PASSWORD = "auditor", "auditor_pass"
SESSION = {
    "application_name": "audit",
    "default_transaction_read_only": "on",
    "work_mem": "64MB",
    "jit": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
ANOTHER_WAS_FASTER = (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError)
"""Another auditor has just committed the same statement; the last is what Postgres says of a role changed meanwhile."""
SERVICES: Mapping[str, type[Settings]] = {
    "saga-orchestrator": OrchestratorSettings,
    "order-service": OrderSettings,
    "payment-service": PaymentSettings,
    "inventory-service": InventorySettings,
}
"""The orchestrator first: what the others say later can only be further on."""


@dataclass(frozen=True)
class Address:
    """Where a database is, and who owns it."""

    host: str
    port: int
    user: str
    password: str
    database: str
    ssl: Any = False
    prefix: str = ""
    """With which the settings begin that say so."""


@dataclass(frozen=True)
class Snapshots:
    """A connection to each database, inside a REPEATABLE READ transaction."""

    orchestrator: Connection
    order: Connection
    payment: Connection
    inventory: Connection

    @property
    def by_service(self) -> dict[str, Connection]:
        """The connections under the names of their owners."""
        return dict(zip(SERVICES, (self.orchestrator, self.order, self.payment, self.inventory), strict=True))


def addresses(port_offset: int) -> list[Address]:
    """The services' own defaults; PAYMENT_SERVICE_PGHOST, …_PGPORT and so on move one of them. `Problem` if wrong."""
    return [_address(kind, f"{name.replace('-', '_')}_", port_offset) for name, kind in SERVICES.items()]


def _address(kind: type[Settings], prefix: str, port_offset: int) -> Address:
    s = _settings(kind, prefix)
    port = s.pgport + (0 if "pgport" in s.model_fields_set else port_offset)
    ssl = tls(s.pgsslmode, s.pgsslrootcert)
    return Address(s.pghost, port, s.pguser, s.pgpassword, s.pgdatabase, ssl, prefix.upper())


def _settings(kind: type[Settings], prefix: str) -> Settings:
    try:
        return kind(_env_prefix=prefix)
    except ValidationError as error:
        names = {name: f"{prefix}{name}".upper() for name in kind.model_fields}
        raise Problem("\n".join(complaints(kind, error, names))) from None


@asynccontextmanager
async def snapshots(where: list[Address]) -> AsyncIterator[Snapshots]:
    """What the four databases hold, the orchestrator's a moment before the others'."""
    async with AsyncExitStack() as stack:
        yield Snapshots(*[await stack.enter_async_context(snapshot(address)) for address in where])


@asynccontextmanager
async def snapshot(address: Address, session: Mapping[str, str] = SESSION) -> AsyncIterator[Connection]:
    """What one database holds, with these settings for the session."""
    connection = await _connect(address, session)
    try:
        await connection.execute("begin isolation level repeatable read read only")
        await connection.execute("select 1")  # the snapshot is taken by the first statement
        yield connection
    finally:
        await connection.close(timeout=5)


async def login(address: Address, session: Mapping[str, str] | None = None) -> Connection:
    """A connection, with these settings for its session."""
    return await connect(**{**BY_ARGUMENT, **vars(address)}, timeout=10, server_settings=dict(session or {}))


async def _connect(address: Address, session: Mapping[str, str]) -> Connection:
    reader = replace(address, user=ROLE, password=PASSWORD)
    try:
        return await login(reader, session)
    except CannotConnect as error:
        if not isinstance(error.__cause__, asyncpg.InvalidAuthorizationSpecificationError):
            raise
        await _create_role(address)
        return await login(reader, session)


async def _create_role(address: Address) -> None:
    owner = await login(address)
    for statement in (
        f"create role {ROLE} login password '{PASSWORD}'",
        f"alter role {ROLE} set default_transaction_read_only = on",
        f"grant pg_read_all_data to {ROLE}",
    ):
        with suppress(*ANOTHER_WAS_FASTER):
            await owner.execute(statement)
    await owner.close()
