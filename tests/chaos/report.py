"""What the sweep saw, as a table."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table

from tests.chaos.combinations import Combination

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
