"""Only our own named settings decide how a connection is made, and a refused one says which of them to look at."""

import asyncpg
import pytest

from audit import databases as audit
from chassis import database, login
from chassis.errors import CannotConnect
from chassis.login import login_of
from chassis.settings import Settings
from local.instance import DATABASES, Instance
from tests.integration.counters import MIGRATIONS
from tests.support.databases import ORDER
from tests.support.ports import unused_port

OF_A_SHELL = {
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nowhere/root.crt",
    "PGSSLCERT": "/nowhere/client.crt",
    "PGSSLKEY": "/nowhere/client.key",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLMINPROTOCOLVERSION": "TLSv9",
    "PGTARGETSESSIONATTRS": "standby",
    "PGSERVICE": "theirs",
    "PGSERVICEFILE": "/nowhere/services",
    "PGPASSFILE": "/nowhere/passwords",
    "PGGSSLIB": "theirs",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGHOST": "db.example",
    "PGPORT": "1,2",
}


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up for a database in the cloud, after `settings` were read."""
    for name, value in OF_A_SHELL.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("shell")
async def test_a_service_and_the_tools_connect_whatever_the_shell_is_set_up_for(settings: Settings) -> None:
    async with database.connect(settings, MIGRATIONS) as pool:
        assert await pool.fetchval("show default_transaction_read_only") == "off"
    where = audit.Address(settings.pghost, settings.pgport, settings.pguser, settings.pgpassword, settings.pgdatabase)
    async with audit.snapshot(where) as connection:
        assert await connection.fetchval("select 1") == 1
    order = next(each for each in DATABASES if each.owner == ORDER.name)
    local = Instance(port_offset=ORDER.port - order.base_port)
    await (await asyncpg.connect(**local.login(order))).close()


@pytest.mark.parametrize(
    ("wrong", "why", "look_at"),
    [
        ({"pgport": unused_port()}, "Connect", "PGHOST, PGPORT"),
        ({"pghost": "no-such-host.invalid"}, "no-such-host.invalid", "PGHOST, PGPORT"),
        ({"pgpassword": "wrong"}, "28P01", "PGUSER, PGPASSWORD, PGSSLMODE"),
        ({"pgdatabase": "nowhere"}, "3D000", "PGDATABASE"),
        ({"pgsslmode": "require"}, "does not speak TLS", "PGSSLMODE"),
    ],
)
async def test_a_refused_connection_says_where_and_why_and_what_to_look_at(
    settings: Settings, wrong: dict[str, object], why: str, look_at: str
) -> None:
    settings = settings.model_copy(update=wrong)
    with pytest.raises(CannotConnect) as refused:
        await login.connect(**login_of(settings))
    said = str(refused.value)
    assert said.startswith(f"cannot log in to {settings.pguser}@{settings.pghost}:{settings.pgport}/")
    assert why in said
    assert said.endswith(f"; look at {look_at}")
