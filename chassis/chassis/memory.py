"""What a process remembers of its database: rows that it wrote itself, and the database's clock.

Both are guesses that save a round trip. Rows are checked by their version when they are saved; the clock only sets
deadlines and times of creation.
"""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from time import monotonic
from typing import Generic
from uuid import UUID

from chassis.decider import Row


class Memory(Generic[Row]):
    """The last rows written, at most so many; the longest unused goes first."""

    def __init__(self, most_rows: int) -> None:
        self._most = most_rows
        self._rows: OrderedDict[UUID, Row] = OrderedDict()

    def recall(self, keys: Iterable[UUID]) -> dict[UUID, Row]:
        """Those of these rows that are remembered."""
        return {key: self._rows[key] for key in keys if key in self._rows}

    def keep(self, key: UUID, row: Row | None) -> None:
        """Remember this; None forgets the key."""
        self._rows.pop(key, None)
        if row is not None:
            self._rows[key] = row
        if len(self._rows) > self._most:
            self._rows.popitem(last=False)


class DatabaseClock:
    """What the database's clock said last, carried on by a clock that nobody sets."""

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None

    def heard(self, now: datetime) -> None:
        """The database has just said so."""
        self._heard = now, monotonic()

    def now(self) -> datetime | None:
        """What it would say; None before it has said anything."""
        if self._heard is None:
            return None
        then, since = self._heard
        return then + timedelta(seconds=monotonic() - since)
