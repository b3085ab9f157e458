"""What a saga may cost at 64 callers, in counts that noise does not reach; `make test` holds the stack to it.

Sagas a second are nowhere here. A limit lies far from what ten runs on a busy machine showed (docs/performance.md),
and near enough that losing the batches, or one more round trip in each, passes it.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from bench.cell import ORDER_CALLS, Cell, of
from bench.load import Plan
from bench.report import Result
from bench.session import InvalidRun, cell, ports
from local.instance import SERVICES, Instance, Service

CALLERS = 64
SAGAS = 4_000
WARM_UP_SAGAS = 1_000
MOST_SECONDS = 90
STATEMENTS_BY_TIMERS = defaultdict(lambda: 1.2, order_db=0.2, orchestrator_db=7.2)
"""A second, at most: a relay looks after its outbox once, deadlines are looked at once, waiters five times."""


@dataclass(frozen=True)
class Limit:
    """A figure of a cell, and the bound it must keep."""

    name: str
    figure: Callable[[Cell], float]
    at_most: float = float("inf")
    at_least: float = 0

    def broken_by(self, cell: Cell) -> bool:
        """Whether the cell is beyond it."""
        return not self.at_least <= self.figure(cell) <= self.at_most

    def __str__(self) -> str:
        return f"at most {self.at_most:g}" if self.at_least == 0 else f"at least {self.at_least:g}"


def statements_a_batch(service: Service) -> Callable[[Cell], float]:
    """Without those that timers make, which depend on how long the run took."""

    def figure(cell: Cell) -> float:
        by_timers = STATEMENTS_BY_TIMERS[service.database.name] * cell.counted_seconds / cell.sagas
        return (cell.statements[service.database.name] - by_timers) / cell.batches[service.name]

    return figure


def messages_a_batch(name: str) -> Callable[[Cell], float]:
    """The mean, by the service's name or that of its calls."""
    return lambda cell: cell.batch_size[name]


LEAST_MESSAGES = {
    "order-service": 5,
    "payment-service": 4,
    "inventory-service": 4,
    "saga-orchestrator": 8,
    ORDER_CALLS: 5,
}
LIMITS = (
    # A batch is one statement; one more in each makes it 2, whatever the noise.
    *(Limit(f"statements a batch, {s.name}", statements_a_batch(s), at_most=1.5) for s in SERVICES),
    # A third of what was seen, or less; without batches it is 1.
    *(Limit(f"messages a batch, {name}", messages_a_batch(name), at_least=n) for name, n in LEAST_MESSAGES.items()),
    # Twice what was seen, or more; without batches each is several times as much.
    Limit("commits a saga, four databases", lambda cell: sum(cell.commits.values()), at_most=1.2),
    Limit("statements a saga, four databases", lambda cell: sum(cell.statements.values()), at_most=1.2),
    Limit("Kafka produce requests a saga", lambda cell: cell.kafka["Produce"], at_most=0.8),
    Limit("Kafka fetch requests a saga", lambda cell: cell.kafka["Fetch"], at_most=0.8),
    Limit("Kafka requests a saga", lambda cell: cell.kafka_requests, at_most=1.6),
    # What was seen and half; rows that are written twice are more.
    Limit("WAL kB a saga, four databases", lambda cell: sum(cell.wal_bytes.values()) / 1000, at_most=25),
    # Two commands, two replies, and the offsets, which a timer commits once a second for each of three consumers.
    Limit("Kafka messages a saga", lambda cell: cell.kafka["MessagesIn"], at_most=4.9),
    Limit("offset commits a second", lambda cell: per_second(cell, "OffsetCommit"), at_most=3.5),
    # CPU time is what noise reaches first: three and a half to seven times what was seen.
    Limit("services' CPU a saga / calibration", lambda cell: services_cpu(cell) / cell.calibration_ms, at_most=1),
)


def per_second(cell: Cell, request: str) -> float:
    """Of something that a timer does."""
    return cell.kafka[request] * cell.sagas / cell.counted_seconds


def services_cpu(cell: Cell) -> float:
    """ms a saga of the four services."""
    return of(cell.cpu_ms, *(service.name for service in SERVICES))


def plans(instance: Instance) -> tuple[Plan, Plan]:
    """To warm up, and to be measured."""
    warm_up, measured = (Plan(ports(instance), CALLERS, MOST_SECONDS, most=sagas) for sagas in (WARM_UP_SAGAS, SAGAS))
    return warm_up, measured


async def several(instance: Instance, runs: int) -> Result:
    """So many runs on one stack, after a warm-up; `InvalidRun` if the stack does not count."""
    warm_up, measured = plans(instance)
    await cell(instance, "to warm up", warm_up)
    databases = [service.database.name for service in SERVICES]
    result = Result("gate", [await cell(instance, f"run {number + 1} of {runs}", measured) for number in range(runs)])
    if not all(c.kafka and all(db in c.statements for db in databases) for c in result.cells):
        raise InvalidRun("Statements or requests were not counted: use `local --measured`, and a Kafka of its own")
    return result
