"""Results as markdown tables."""

from collections.abc import Callable, Iterator, Sequence

from bench.cell import Cell
from bench.compare import by_name, median, targets
from bench.gate import LIMITS
from bench.report import MEASURES, Result
from bench.scaling import RATES, Inputs, Needs, needs
from local.instance import DATABASES, SERVICES

PROCESSES = {
    "orchestrator": ("saga-orchestrator",),
    "order service": ("order-service",),
    "payment + inventory service": ("payment-service", "inventory-service"),
    "four Postgres": tuple(database.program for database in DATABASES),
    "Kafka": ("kafka",),
    "load": ("load",),
}
Row = Sequence[object]


def table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """One line a row; numbers in three digits."""
    yield line(head)
    yield "|" + "---|" * len(head)
    yield from map(line, rows)


def line(row: Row) -> str:
    return f"| {' | '.join(map(text, row))} |"


def text(value: object) -> str:
    """Three digits; thousands with a comma."""
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def where(result: Result) -> str:
    """What, when, on what, and how noisy it was."""
    others = [cell.other_cores for cell in result.cells]
    machine = result.machine
    return (
        f"Commit {machine['commit']}, {machine['at'][:16]}, {machine['machine']} for everything, Python"
        f" {machine['python']}; others used {min(others):.2f} to {max(others):.2f} cores meanwhile."
    )


def versus(ours: Result, textbook: Result) -> Iterator[str]:
    """This and the textbook variant, medians; then the targets."""
    mine, theirs = by_name(ours), by_name(textbook)
    yield f"{where(ours)} Median of {len(mine['64'])}, in turn with the textbook variant."
    yield ""
    rows = []
    for measure in ("sagas/s", "p50 ms", "p99 ms", "CPU ms", "commits", "SQL", "Kafka requests", "WAL kB"):
        for name in ("1", "16", "64"):
            a, b = median(mine[name], measure), median(theirs[name], measure)
            rows.append((measure, name, a, b, a / b if b else "–"))
    yield from table(("", "callers", "this", "textbook", "ratio"), rows)
    yield ""
    met = {True: "met", False: "**not met**"}
    aims = [(t.what, t.measured, f"{t.sign} {t.aim:.4g}", met[t.met]) for t in targets(ours, textbook)]
    yield from table(("target", "measured", "aim", ""), aims)


def cells(result: Result) -> Iterator[str]:
    """Every measure of every cell."""
    yield where(result)
    yield ""
    yield from table(
        ("callers", *MEASURES), [(cell.name, *(figure(cell) for figure in MEASURES.values())) for cell in result.cells]
    )


def budget(result: Result) -> Iterator[str]:
    """CPU by process, and what batching leaves of the transactions; medians."""
    found = {name: cells for name, cells in by_name(result).items() if name in ("1", "16", "64")}

    def row(title: str, figure: Callable[[Cell], float]) -> Row:
        return (title, *(sorted(map(figure, cells))[len(cells) // 2] for cells in found.values()))

    rows = [
        row(title, lambda cell, p=parts: sum(cell.cpu_ms[part] for part in p))  # type: ignore[misc]
        for title, parts in PROCESSES.items()
    ]
    rows += [
        row("**all**", lambda cell: cell.cpu_total),
        row("commits", lambda cell: sum(cell.commits.values())),
        row("SQL statements", lambda cell: sum(cell.statements.values())),
        row("WAL kB", lambda cell: sum(cell.wal_bytes.values()) / 1000),
        row("Kafka requests", lambda cell: cell.kafka_requests),
        row("messages in an orchestrator batch", lambda cell: cell.batch_size["saga-orchestrator"]),
    ]
    yield from table(("CPU ms a saga", *(f"at {name}" for name in found)), rows)


def growth(result: Result) -> Iterator[str]:
    """Cost by sagas stored."""
    yield where(result)
    yield ""
    measures = ("p50 ms", "services", "postgres", "commits", "SQL", "WAL kB", "Kafka requests")
    rows = [(c.stored, c.callers, *(MEASURES[m](c) for m in measures)) for c in result.cells]
    titles = {"services": "CPU ms, services", "postgres": "CPU ms, Postgres"}
    yield from table(("stored", "callers", *(titles.get(m, m) for m in measures)), rows)


def memory(result: Result) -> Iterator[str]:
    """RSS of each process after so many sagas."""
    yield where(result)
    yield ""
    parts = [service.name for service in SERVICES]
    rows = [(c.stored, *(c.rss_mb[part] for part in parts), MEASURES["services"](c)) for c in result.cells]
    yield from table(("sagas so far", *(f"{part}, MB" for part in parts), "CPU ms a saga, services"), rows)


def replicas(result: Result) -> Iterator[str]:
    """Throughput and cost by replicas, medians."""
    yield where(result)
    yield ""
    measures = ("sagas/s", "p50 ms", "CPU ms", "services", "commits", "SQL", "Kafka requests")
    rounds = sorted(by_name(result).values(), key=lambda cells: cells[0].replicas)
    rows = [(cells[0].replicas, *(median(cells, measure) for measure in measures)) for cells in rounds]
    yield from table(("of each", *measures), rows)


def spread(result: Result) -> Iterator[str]:
    """What the gate looks at: least, median, most of several runs, and the limit."""
    yield f"{where(result)} {len(result.cells)} runs."
    yield ""
    rows = []
    for limit in LIMITS:
        figures = sorted(limit.figure(cell) for cell in result.cells)
        rows.append((limit.name, figures[0], figures[len(figures) // 2], figures[-1], limit))
    yield from table(("", "least", "median", "most", "limit"), rows)


def inputs(measured: Inputs) -> Iterator[str]:
    """What a saga costs, by part."""
    cell = measured.cell
    rows: list[Row] = [(s.name, cell.cpu_ms[s.name], "", "", "", cell.batch_size[s.name]) for s in SERVICES]
    rows += [
        (
            database.name,
            cell.cpu_ms[database.program],
            cell.commits[database.name],
            cell.wal_bytes[database.name] / 1000,
            measured.stored_bytes.get(database.name, 0) / 1000 or "–",
            "",
        )
        for database in DATABASES
    ]
    kafka = f"{cell.kafka['BytesIn'] / 1000:.2f} in, {cell.kafka['BytesOut'] / 1000:.2f} out"
    rows.append((f"Kafka: {cell.kafka['MessagesIn']:.2f} messages, {cell.kafka_requests:.2f} requests, kB {kafka}", cell.cpu_ms["kafka"], "", "", "", ""))
    yield from table(("one saga", "CPU ms", "commits", "WAL kB", "kB kept", "messages a batch"), rows)


def needed(measured: Inputs) -> Iterator[str]:
    """What each rate needs, one column a rate."""
    columns = [needs(measured, rate) for rate in RATES]

    def row(title: str, figure: Callable[[Needs], object]) -> Row:
        return (title, *map(figure, columns))

    rows = [row(f"{s.name}, replicas", lambda n, s=s: n.replicas[s.name]) for s in SERVICES]  # type: ignore[misc]
    rows.append(row("partitions of each topic", lambda n: n.partitions))
    for database in DATABASES:
        rows += _database(database.name, row)
    rows += [
        row("Kafka: messages/s", lambda n: n.kafka_messages),
        row("requests/s", lambda n: n.kafka_requests),
        row("MB/s in, MB/s out (copies included)", lambda n: f"{text(n.kafka_mb_in)}, {text(n.kafka_mb_out)}"),
        row("cores, brokers", lambda n: f"{text(n.kafka_cores)}, {n.brokers}"),
    ]
    yield from table(("sagas a second", *RATES), rows)


def _database(name: str, row: Callable[[str, Callable[[Needs], object]], Row]) -> list[Row]:
    return [
        row(f"{name}: cores", lambda n: n.databases[name].cores),
        row("commits/s", lambda n: n.databases[name].commits),
        row("WAL MB/s", lambda n: n.databases[name].wal_mb),
        row("GB a day", lambda n: n.databases[name].gb_a_day),
        row("**servers**", lambda n: n.databases[name].servers),
    ]
