"""What a saga costs, and what that means for 1,000 to 100,000 a second, as markdown tables."""

from collections.abc import Callable, Iterator

from bench.markdown import Row, table, text, where
from bench.scaling import RATES, Inputs, Needs, needs
from local.instance import DATABASES, SERVICES


def inputs(measured: Inputs) -> Iterator[str]:
    """What a saga costs, by part."""
    cell = measured.cell
    yield where(measured.result)
    yield ""
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
    rows.append(("kafka", cell.cpu_ms["kafka"], "", "", "", ""))
    yield from table(("one saga", "CPU ms", "commits", "WAL kB", "kB kept", "messages a batch"), rows)
    yield ""
    requests = (
        f"{cell.kafka_requests:.2f} requests (produce {cell.kafka['Produce']:.2f}, fetch {cell.kafka['Fetch']:.2f})"
    )
    kilobytes = f"{cell.kafka['BytesIn'] / 1000:.2f} kB in and {cell.kafka['BytesOut'] / 1000:.2f} kB out"
    yield f"Kafka: {cell.kafka['MessagesIn']:.2f} messages, {requests}, {kilobytes}."


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
