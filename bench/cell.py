"""One cell of the table: so many callers for so long, what they saw and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.books import Books
from bench.load import shape_name

REQUESTS = ("Produce", "Fetch", "OffsetCommit")
ORDER_CALLS = "order calls"
"""What the requests to the order service are called among the batches."""
TRAFFIC = ("MessagesIn", "BytesIn", "BytesOut")


@dataclass
class Cell:
    """Latencies in ms. All dicts but `latency_ms`, `statuses`, `batch_size` and `rss_mb` are per saga."""

    callers: int
    seconds: float
    mixed: bool
    rate: float
    sagas: int
    per_second: float
    latency_ms: dict[str, float]
    statuses: dict[str, int]
    errors: list[str]
    cpu_ms: dict[str, float]
    commits: dict[str, float] = field(default_factory=dict)
    rollbacks: dict[str, float] = field(default_factory=dict)
    statements: dict[str, float] = field(default_factory=dict)
    fsyncs: dict[str, float] = field(default_factory=dict)
    wal_bytes: dict[str, float] = field(default_factory=dict)
    page_images: dict[str, float] = field(default_factory=dict)
    """Whole pages in the WAL: each one's first change after a checkpoint."""

    batches: dict[str, float] = field(default_factory=dict)
    batch_size: dict[str, float] = field(default_factory=dict)
    kafka: dict[str, float] = field(default_factory=dict)
    """Requests by name, and MessagesIn, BytesIn, BytesOut."""
    swept: float = 0
    rss_mb: dict[str, float] = field(default_factory=dict)
    load_average: float = 0
    other_cores: float = 0
    calibration_ms: float = 0
    most: int = 0
    counted_seconds: float = 0
    """Between the two readings of the counts: what timers did in it counts too."""

    replicas: int = 1
    stored: int = 0
    """Sagas that were stored before it began."""
    stored_bytes: dict[str, float] = field(default_factory=dict)
    """What each database keeps of one of these, indexes included."""

    @property
    def name(self) -> str:
        of_each = f", {self.replicas} of each" if self.replicas > 1 else ""
        stored = f", {self.stored:,} stored" if self.stored else ""
        return shape_name(self.callers, self.rate, self.mixed) + of_each + stored

    @property
    def cpu_total(self) -> float:
        return sum(self.cpu_ms.values())

    @property
    def kafka_requests(self) -> float:
        return sum(count for name, count in self.kafka.items() if name not in TRAFFIC)

    def add(self, before: Books, after: Books) -> None:
        """The differences between two readings, per saga."""
        sagas = max(self.sagas, 1)
        for name in ("commits", "rollbacks", "statements", "fsyncs", "wal_bytes", "page_images"):
            counts = {db: now[name] - before.databases[db][name] for db, now in after.databases.items() if name in now}
            setattr(self, name, {db: count / sagas for db, count in counts.items()})
        for service, now in after.services.items():
            grown = growth(before.services[service], now)
            if batches := grown.get("batch_messages_count"):
                self.batches[service] = batches / sagas
                self.batch_size[service] = grown["batch_messages_sum"] / batches
            if calls := grown.get("order_call_commands_count"):
                self.batch_size[ORDER_CALLS] = grown["order_call_commands_sum"] / calls
            self.swept += grown.get("swept_messages_total", 0)
        self.kafka = {name: count / sagas for name, count in growth(before.kafka, after.kafka).items() if count}


def growth(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in after.items()}


def of(by_part: Mapping[str, float], *endings: str) -> float:
    """The sum over the parts whose name ends so."""
    return sum(value for part, value in by_part.items() if part.endswith(endings))


def percentiles(seconds: list[float]) -> dict[str, float]:
    """In ms."""
    ranked = sorted(seconds) or [0.0]
    points = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1}
    return {name: 1000 * ranked[min(int(share * len(ranked)), len(ranked) - 1)] for name, share in points.items()}
