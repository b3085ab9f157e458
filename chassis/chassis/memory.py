"""What a process remembers of its database: rows that it wrote itself.

A guess that saves a round trip: a row is checked by its version when it is saved.
"""

from collections import OrderedDict
from collections.abc import Iterable
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
