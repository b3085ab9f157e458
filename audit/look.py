"""One look at everything: what a check may ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audit.books import Books
from audit.databases import Address, Snapshots

CONSUMERS = ("payment-service", "inventory-service", "saga-orchestrator")


@dataclass(frozen=True)
class Options:
    """What the caller wants."""

    databases: list[Address]
    kafka_broker: str
    dead_letters: Mapping[str, str] = field(default_factory=lambda: {name: f"{name}.dlq" for name in CONSUMERS})
    only: frozenset[str] = frozenset()
    recovery_seconds: float = 30.0
    settle_seconds: float = 2.0
    quiesced: bool = False
    strict: bool = False
    history: Path | None = None
    kafka_prefix: str = ""


@dataclass(frozen=True)
class Look:
    """The snapshots, and the books read from them if any invariant asked for needs those."""

    options: Options
    snapshots: Snapshots
    books: Books
