"""Results as markdown tables."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.cell import Cell
from bench.compare import by_name, median, targets
from bench.gate import LIMITS
from bench.markdown import Row, table, where
from bench.report import MEASURES, Result
from local.instance import DATABASES, ORCHESTRATOR, SERVICES

PROCESSES = {
    "orchestrator": ("saga-orchestrator",),
    "order service": ("order-service",),
    "payment + inventory service": ("payment-service", "inventory-service"),
    "four Postgres": tuple(database.program for database in DATABASES),
    "Kafka": ("kafka",),
    "load": ("load",),
}


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


def floor(lowest: Result, ours: Result, textbook: Result) -> Iterator[str]:
    """One caller, and what of its time cannot be left out; medians."""
    results = {"floor": lowest, "this": ours, "textbook": textbook}
    found = {name: by_name(result)["1"] for name, result in results.items()}
    yield f"{where(ours)} Median of {len(found['this'])}, in turn."
    yield ""
    measures = ("p50 ms", "p99 ms", "CPU ms", "services", "postgres", "kafka", "SQL", "Kafka requests", "WAL kB")
    rows = [(measure, *(median(cells, measure) for cells in found.values())) for measure in measures]
    shares = [median(cells, "p50 ms") / median(found["textbook"], "p50 ms") for cells in found.values()]
    yield from table(("at one caller", *found), [*rows, ("p50, of the textbook variant's", *shares)])


def levers(whole: Result, *without: Result) -> Iterator[str]:
    """What a saga costs with each lever taken out, and the throughput as a part of the whole's; medians."""
    rounds = by_name(whole)
    yield f"{where(whole)} Median of {len(rounds['64'])}, in turn."
    yield ""
    at = [("64", measure) for measure in ("sagas/s", "CPU ms", "commits", "SQL", "Kafka requests")]
    at += [("1", measure) for measure in ("p50 ms", "CPU ms", "SQL")]
    rows: list[Row] = []
    for result in (whole, *without):
        found = by_name(result)
        share = median(found["64"], "sagas/s") / median(rounds["64"], "sagas/s")
        rows.append((result.label, f"{share:.2f} ×", *(median(found[callers], measure) for callers, measure in at)))
    yield from table(("", "throughput at 64", *(f"{measure} at {callers}" for callers, measure in at)), rows)


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
    measures = ("p50 ms", "services", "postgres", "commits", "SQL", "WAL kB", "page images", "Kafka requests")
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


def recovery(found: Mapping[str, Any]) -> Iterator[str]:
    """How long it took."""
    newcomers = found["newcomers"]
    yield where(Result("recovery", [Cell(**newcomers)], found["machine"]))
    yield ""
    rows: list[Row] = [
        ("sagas that had begun, all overdue", found["sagas"]),
        ("orchestrator ready after, s", found["ready_seconds"][ORCHESTRATOR.name]),
        ("all taken up after, s", found["taken_up_seconds"]),
        ("all ended after, s", found["ended_seconds"]),
        ("sagas a second", found["sagas"] / found["ended_seconds"]),
        ("most memory of the orchestrator, MB", found["most_rss_mb"]),
        (f"{newcomers['callers']} newcomers at once meanwhile, p50 ms", newcomers["latency_ms"]["p50"]),
        ("p99 ms", newcomers["latency_ms"]["p99"]),
        ("answers", ", ".join(f"{count} × {status}" for status, count in newcomers["statuses"].items())),
    ]
    yield from table(("recovery", ""), rows)


def replicas(result: Result) -> Iterator[str]:
    """Throughput and cost by replicas, medians."""
    yield where(result)
    yield ""
    measures = ("sagas/s", "p50 ms", "CPU ms", "services", "commits", "rollbacks", "SQL", "Kafka requests")
    rounds = sorted(by_name(result).values(), key=lambda cells: (cells[0].replicas, cells[0].callers))
    rows = [
        (cells[0].replicas, cells[0].callers, *(median(cells, measure) for measure in measures)) for cells in rounds
    ]
    yield from table(("of each", "callers", *measures), rows)


def spread(result: Result) -> Iterator[str]:
    """What the gate looks at: least, median, most of several runs, and the limit."""
    yield f"{where(result)} {len(result.cells)} runs."
    yield ""
    rows = []
    for limit in LIMITS:
        figures = sorted(limit.figure(cell) for cell in result.cells)
        rows.append((limit.name, figures[0], figures[len(figures) // 2], figures[-1], limit))
    yield from table(("", "least", "median", "most", "limit"), rows)
