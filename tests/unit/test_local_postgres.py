"""A shell's own Postgres is not that of the local stack, unless it is given to a service by name."""

import pytest

from local import services
from local.instance import PAYMENT, Instance

OF_A_SHELL = {
    "PGSSLMODE": "require",
    "PGSSLROOTCERT": "/nowhere",
    "PGHOST": "db.example",
    "PGTARGETSESSIONATTRS": "any",
}


def told() -> dict[str, str]:
    """The payment service, of Postgres."""
    (program,) = (each for each in services.programs(Instance(), 1, "kafka:9092") if each.name == PAYMENT.name)
    return {name: value for name, value in program.environment.items() if name.startswith("PG")}


def test_a_service_is_told_of_the_stacks_own_database_only(monkeypatch: pytest.MonkeyPatch) -> None:
    before = told()
    for name, value in OF_A_SHELL.items():
        monkeypatch.setenv(name, value)
    assert told() == before
    assert (before["PGHOST"], before["PGSSLMODE"], before["PGSSLROOTCERT"]) == ("127.0.0.1", "disable", "")


def test_a_database_of_the_callers_own_may_need_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"PGHOST": "db.example", "PGSSLMODE": "require"}
    for name, value in given.items():
        monkeypatch.setenv(f"PAYMENT_SERVICE_{name}", value)
    assert given.items() <= told().items()
    assert Instance().login(PAYMENT.database)["ssl"] is not False
