"""How it looks: the headline, the log, the rows side by side, the way of the awaited command, what to do."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from ops.explain.agreement import disagreements, why_unknown
from ops.explain.facts import Facts
from ops.explain.headline import headline
from ops.explain.stuck import choices, stopped
from ops.explain.timeline import timeline
from ops.explain.way import way
from ops.report import plain

ROWS: Final[Mapping[str, str]] = {
    "order-service": "order",
    "payment-service": "payment",
    "inventory-service": "reservation",
}
MARKS: Final[Mapping[bool | None, str]] = {True: "yes", False: "NO", None: "?"}


def show(facts: Facts, console: Console) -> None:
    """Everything, what to do last: that is what a screen still shows."""
    ids = f"saga {facts.saga['saga_id']}, order {facts.saga['order_id']}" if facts.saga else facts.asked
    console.print(plain(f"{ids}, found by {facts.kind}"))
    for sentence in headline(facts):
        console.print(plain(sentence))
    for name, why in facts.away.items():
        console.print(plain(f"Not read: {name if name == 'Kafka' else f'the database of {name}'} ({why})."))
    if facts.saga:
        _log(facts, console)
    _rows(facts, console)
    _way(facts, console)


def _log(facts: Facts, console: Console) -> None:
    assert facts.saga
    table = Table("seq", "at", "", "message", "by or to", title="the log of the saga", title_justify="left")
    for line in timeline(facts.log, facts.saga["created_at"]):
        style = "yellow" if line.undo or line.kind == "too late" else None
        table.add_row(line.seq, line.elapsed, line.kind, plain(line.what), line.by, style=style)
    console.print(table)


def _rows(facts: Facts, console: Console) -> None:
    shown = {what: _status(facts, service) for service, what in ROWS.items()}
    if facts.saga:
        shown["saga"] = f"{facts.saga['status']}, {facts.saga['step']}"
    table = Table(*shown, title="the rows", title_justify="left")
    table.add_row(*map(plain, shown.values()))
    console.print(table)
    if not facts.saga:
        return
    found = list(disagreements(facts))
    for problem in found:
        console.print(plain(f"They disagree, {problem}"), style="red")
    if why := why_unknown(facts):
        console.print(plain(f"Whether they agree was not checked: {why}."))
    elif not found:
        console.print("They agree with the log so far." if facts.running else "They agree.")


def _status(facts: Facts, service: str) -> str:
    if service in facts.away:
        return "not read"
    row = facts.rows.get(service)
    if row is None:
        return "no row"
    return f"{row['status']} ({row['reason']})" if row.get("reason") else str(row["status"])


def _way(facts: Facts, console: Console) -> None:
    stages = list(way(facts))
    if stages:
        table = Table.grid(padding=(0, 2))
        for passed, text in stages:
            table.add_row(MARKS[passed], plain(text), style=None if passed else "yellow")
        console.print(table)
    if stop := stopped(facts):
        console.print(plain(f"It stopped here: {stop.where}" if facts.running else stop.where), style="bold")
        for command in stop.todo:
            console.print(plain(f"  {command}"), soft_wrap=True)
    others = list(choices(facts))
    if others:
        console.print("Instead of waiting, an operator may:")
        for command in others:
            console.print(plain(f"  {command}"), soft_wrap=True)
