"""What the sweep saw, as a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tests.chaos.combinations import Combination

MATRIX = Path(__file__).parents[2] / "docs" / "failure-matrix.md"
HEADINGS = ("service", "crash point", "message", "scenario", "hit", "recovered in (s)")


@dataclass(frozen=True)
class Crash:
    """What became of one combination; None: its crash point was not hit."""

    combination: Combination
    recovered_in: float | None

    @property
    def row(self) -> tuple[str, ...]:
        """As a line of the table."""
        c = self.combination
        seconds = "" if self.recovered_in is None else f"{self.recovered_in:.1f}"
        return c.service.name, c.point, c.type or "–", c.scenario.name, "yes" if seconds else "NO", seconds


def table(crashes: Iterable[Crash]) -> Table:
    """For the terminal."""
    shown = Table(*HEADINGS, title="the sweep over the crash points")
    for crash in crashes:
        shown.add_row(*crash.row, style=None if crash.recovered_in is not None else "bold red")
    return shown


def write(crashes: list[Crash]) -> None:
    """To docs/failure-matrix.md."""
    lines = [
        "# Failure matrix",
        "",
        "Written by `make chaos`: each process is killed by SIGKILL at each crash point, with each message that passes",
        "there, and started again. Recovered means: every saga of the run has ended and the four databases agree.",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{' --- |' * len(HEADINGS)}",
        *(f"| {' | '.join(crash.row)} |" for crash in crashes),
    ]
    MATRIX.write_text("\n".join(lines) + "\n")
