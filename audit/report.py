"""What the auditor found, for people and for programs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

SHOWN = 5
IN_JSON = 100


@dataclass(frozen=True)
class Finding:
    """One violation: what is wrong, about whom, and what to do."""

    what: str
    todo: str
    saga_id: UUID | None = None
    order_id: UUID | None = None

    def __str__(self) -> str:
        ids = {"saga": self.saga_id, "order": self.order_id}
        return ", ".join([self.what, *(f"{name} {value}" for name, value in ids.items() if value)])


@dataclass
class Verdict:
    """What became of one invariant. `count` may be larger than the list of findings, which is bounded."""

    invariant: str
    title: str
    looked: int = 0
    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, findings: Iterable[Finding], count: int | None = None) -> None:
        """Enter findings, which may be only the first of `count`."""
        added = list(findings)
        self.findings += added
        self.count += len(added) if count is None else count

    def confirm(self, again: "Verdict") -> None:
        """Keep what a second look saw too."""
        seen = set(again.findings)
        confirmed = [finding for finding in self.findings if finding in seen]
        if self.findings:  # which may be only the first of `count`
            self.count = ceil(self.count * len(confirmed) / len(self.findings))
        self.findings = confirmed

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = [
            {"what": f.what, "todo": f.todo, "sagaId": f.saga_id, "orderId": f.order_id}
            for f in self.findings[:IN_JSON]
        ]
        return {
            "invariant": self.invariant,
            "title": self.title,
            "looked": self.looked,
            "violations": self.count,
            "findings": found,
            "notes": self.notes,
            "unreadable": self.unreadable,
        }


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """1 with any violation, else 2 if something could not be read, else 0."""
    verdicts = list(verdicts)
    return 1 if any(v.count for v in verdicts) else 2 if any(v.unreadable for v in verdicts) else 0


def show(verdicts: list[Verdict], seconds: float, console: Console) -> None:
    """The table, and below it what was found."""
    table = Table("", "invariant", "looked at", "violations", title=f"audit, {seconds:.1f} s")
    for column in table.columns[2:]:
        column.justify = "right"
    for verdict in verdicts:
        answer = f"[red]{verdict.count:,}[/]" if verdict.count else "[green]0[/]"
        table.add_row(
            verdict.invariant, verdict.title, f"{verdict.looked:,}", "[red]?[/]" if verdict.unreadable else answer
        )
    console.print(table)
    for verdict in verdicts:
        _show_findings(verdict, console)


def _show_findings(verdict: Verdict, console: Console) -> None:
    for finding in verdict.findings[:SHOWN]:
        console.print(f"[red]{verdict.invariant}[/]", end=" ")
        console.print(f"{finding}. To do: {finding.todo}.", markup=False)
    if verdict.count > SHOWN:
        console.print(f"[red]{verdict.invariant}[/] … and {verdict.count - SHOWN:,} more (--json shows {IN_JSON})")
    for note in verdict.notes:
        console.print(f"{verdict.invariant} note: {note}", markup=False)
    for problem in verdict.unreadable:
        console.print(f"{verdict.invariant} could not be read: {problem}", markup=False)
