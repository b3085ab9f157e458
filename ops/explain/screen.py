"""How it looks: the headline, the log, the rows side by side, the way of the awaited command, what to do."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from ops.explain.agreement import disagreements, why_unknown
from ops.explain.facts import Facts
from ops.explain.headline import headline
from ops.explain.stuck import stopped
from ops.explain.timeline import timeline
from ops.explain.todo import choices
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
    _say(console, f"{ids}, found by {facts.kind}")
    for sentence in headline(facts):
        _say(console, sentence)
    for unread in facts.unread:
        _say(console, f"Not read: {unread}.")
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
        _say(console, f"They disagree, {problem}", style="red")
    if why := why_unknown(facts):
        _say(console, f"Whether they agree was not checked: {why}.")
    elif not found:
        _say(console, "They agree with the log so far." if facts.running else "They agree.")


def _status(facts: Facts, service: str) -> str:
    if service in facts.away:
        return "not read"
    row = facts.rows.get(service)
    if row is None:
        return "no row"
    return f"{row['status']} ({row['reason']})" if row.get("reason") else str(row["status"])


def _way(facts: Facts, console: Console) -> None:
    if stages := list(way(facts)):
        _say(console, "the way of the awaited command and of its reply")
    for passed, text in stages:
        _say(console, f"{MARKS[passed]:5}{text}", style=None if passed else "yellow")
    if stop := stopped(facts):
        _say(console, f"It stopped here: {stop.where}" if facts.running else stop.where, style="bold")
        for command in stop.todo:
            _say(console, f"  {command}")
    if others := list(choices(facts)):
        _say(console, "Instead of waiting, an operator may:")
        for command in others:
            _say(console, f"  {command}")


def _say(console: Console, text: str, style: str | None = None) -> None:
    """A line, which only the terminal breaks: it may be copied or searched."""
    console.print(plain(text), style=style, soft_wrap=True)
