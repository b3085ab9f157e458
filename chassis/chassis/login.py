"""How a connection to Postgres is made: by our own settings and by nothing else that a shell may hold.

asyncpg reads whatever it is not told from PGSSLMODE, PGTARGETSESSIONATTRS, PGSSLCERT and so on, and from files in the
home folder. Here it is told everything.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import asyncpg

from chassis.errors import CannotConnect
from chassis.faults import INFRASTRUCTURE_ERRORS, reason_of
from chassis.settings import Settings, TlsMode

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

BY_ARGUMENT: Mapping[str, Any] = MappingProxyType(
    {"ssl": False, "direct_tls": False, "target_session_attrs": "any", "krbsrvname": "postgres", "gsslib": "gssapi"}
)
"""What asyncpg would otherwise read from the environment; without TLS, on any server."""


def login_of(settings: Settings) -> dict[str, Any]:
    """What asyncpg wants to know: of a server that takes writes, if there is a choice."""
    return {
        **BY_ARGUMENT,
        "host": settings.pghost,
        "port": settings.pgport,
        "user": settings.pguser,
        "password": settings.pgpassword,
        "database": settings.pgdatabase,
        "ssl": tls(settings.pgsslmode, settings.pgsslrootcert),
        "target_session_attrs": "read-write",
    }


def tls(mode: TlsMode | str, authorities: Path | str | None) -> ssl.SSLContext | bool:
    """False: none."""
    if mode == "disable":
        return False
    context = ssl.create_default_context(cafile=authorities or None)
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


async def connect(*_: object, prefix: str = "", **arguments: Any) -> Connection:
    """Log in; `CannotConnect` says where that failed, why, and which settings, whose names begin so, to look at."""
    try:
        return await asyncpg.connect(**arguments)
    except INFRASTRUCTURE_ERRORS as error:
        where = "{user}@{host}:{port}/{database}".format_map(arguments)
        why, *settings = _why(error)
        look_at = f"; look at {', '.join(f'{prefix}{name}' for name in settings)}" if settings else ""
        raise CannotConnect(f"cannot log in to {where}: {why}{look_at}") from error


def _why(error: BaseException) -> tuple[str, ...]:
    """The reason, and the settings that may be wrong."""
    match error:
        case asyncpg.TargetServerAttributeNotMatched():
            return "the server takes no writes, it was demoted or is a standby", "PGHOST", "PGPORT"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return reason_of(error), "PGUSER", "PGPASSWORD", "PGSSLMODE"
        case asyncpg.InvalidCatalogNameError():
            return reason_of(error), "PGDATABASE"
        case ssl.SSLError():
            return reason_of(error), "PGSSLMODE", "PGSSLROOTCERT"
        case ConnectionError() if "SSL" in str(error):
            return "the server does not speak TLS", "PGSSLMODE"
        case asyncpg.PostgresError():
            return (reason_of(error),)
    return reason_of(error), "PGHOST", "PGPORT"
