"""The arithmetic of docs/scaling.md."""

from dataclasses import replace

import pytest

from bench.scaling import BUSY, COPIES, POSTGRES_WAL_MB, Inputs, needs
from local.instance import DATABASES, SERVICES
from tests.unit.measured import CELL, RESULT

INPUTS = Inputs(RESULT, CELL, {"order_db": 500})


def test_needs_grow_with_the_rate_and_leave_room_on_each_core() -> None:
    need = needs(INPUTS, 1_000)

    assert BUSY == 0.6
    assert need.replicas == {service.name: 1 for service in SERVICES}
    assert need.databases["order_db"].cores == pytest.approx(0.5)
    assert need.databases["order_db"].commits == pytest.approx(100)
    assert need.databases["order_db"].wal_mb == pytest.approx(10)
    assert need.databases["order_db"].gb_a_day == pytest.approx(43.2)
    assert need.kafka_messages == 4_000
    assert need.kafka_requests == pytest.approx(620)
    assert need.kafka_mb_in == pytest.approx(1.5)
    assert need.kafka_mb_out == pytest.approx(1.5 * COPIES)
    assert needs(INPUTS, 10_000).replicas == {service.name: 10 for service in SERVICES}


def test_there_are_partitions_for_more_replicas_than_are_needed() -> None:
    assert needs(INPUTS, 10_000).partitions == 20


def test_a_database_is_sharded_by_whatever_runs_out_first() -> None:
    much_wal = replace(CELL, wal_bytes={d.name: 3e6 * POSTGRES_WAL_MB / 1000 for d in DATABASES})

    assert needs(INPUTS, 1_000).databases["order_db"].servers == 1
    assert needs(Inputs(RESULT, much_wal, {}), 1_000).databases["order_db"].servers == 3


def test_there_are_never_fewer_brokers_than_copies() -> None:
    assert needs(INPUTS, 1).brokers == COPIES
    assert needs(INPUTS, 100_000).brokers > COPIES
