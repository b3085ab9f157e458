"""A cell as a measurement gives it, with round numbers."""

from bench.cell import ORDER_CALLS, Cell
from bench.report import Result
from local.instance import DATABASES, SERVICES

CELL = Cell(
    callers=64,
    seconds=8,
    mixed=False,
    rate=0,
    sagas=1000,
    per_second=125,
    latency_ms={"p50": 1, "p90": 1, "p99": 1, "max": 1},
    statuses={"200": 1000},
    errors=[],
    cpu_ms={s.name: 0.6 for s in SERVICES} | {d.program: 0.3 for d in DATABASES} | {"kafka": 0.4, "load": 0.05},
    commits={d.name: 0.1 for d in DATABASES},
    wal_bytes={d.name: 10_000 for d in DATABASES},
    statements={d.name: 0.1 for d in DATABASES},
    rss_mb={s.name: 50 for s in SERVICES},
    calibration_ms=10,
    counted_seconds=1,
    batches={s.name: 0.05 for s in SERVICES},
    batch_size=dict.fromkeys((*(s.name for s in SERVICES), ORDER_CALLS), 20),
    kafka={"Produce": 0.3, "Fetch": 0.3, "OffsetCommit": 0.02, "MessagesIn": 4, "BytesIn": 1500, "BytesOut": 1500},
)
RESULT = Result("this", [CELL], {"commit": "abc", "python": "3.11", "machine": "2 cores", "at": "2026-11-25T12:00"})
