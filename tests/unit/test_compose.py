"""What docker-compose.yml promises to somebody whose machine is not ours."""

import re
from pathlib import Path

import pytest

from local.instance import DATABASES, Database

TEXT = (Path(__file__).parents[2] / "docker-compose.yml").read_text()
PORTS = {4000, 4001, 4002, 4003, 5433, 5434, 5435, 5436, 9092}


def test_one_variable_moves_every_port_of_the_host() -> None:
    published = re.findall(r'ports: \["(.*)"\]', TEXT)
    moved = [re.fullmatch(r"\$\{BIND_ADDRESS:-127\.0\.0\.1\}:\$\{PORT_PREFIX:-\}(\d+):\d+", each) for each in published]
    assert {int(port[1]) for port in moved if port} == PORTS
    assert len(published) == len(PORTS)


def test_kafka_names_the_port_at_which_the_host_finds_it() -> None:
    assert ",HOST://localhost:${PORT_PREFIX:-}9092\n" in TEXT


@pytest.mark.parametrize("port", sorted(PORTS))
def test_a_digit_before_a_port_is_an_offset_of_ten_thousand(port: int) -> None:
    assert int(f"2{port}") == port + 20000


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_a_service_may_have_a_database_of_the_users_own(database: Database) -> None:
    for name, variable in database.variables.items():
        if name != "PGSSLROOTCERT":  # a file, which no container would see
            assert f"      {name}: ${{{variable}:-" in TEXT


def test_every_program_may_have_a_kafka_of_the_users_own() -> None:
    assert re.findall(r" KAFKA_BROKER: (.*)", TEXT) == ["${KAFKA_BROKER:-kafka:29092}"]


def test_no_volume_without_a_name_is_left_behind() -> None:
    """cp-kafka declares two volumes, its data and its secrets; postgres:17 its data."""
    assert "volumes: [kafka-data:/var/lib/kafka/data]\n    tmpfs: [/etc/kafka/secrets]" in TEXT
    assert TEXT.count("-data:/var/lib/postgresql/data]") == len(DATABASES)


def test_a_database_sorts_the_same_as_without_docker() -> None:
    assert "POSTGRES_INITDB_ARGS: --no-locale --encoding=UTF8" in TEXT
    assert TEXT.count("<<: *cluster") == len(DATABASES)
