"""The ids of the messages already handled: the inbox pattern (idempotent consumer)."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from chassis.writes import Write

HANDLED: Final = "select message_id from inbox where message_id = any($2)"
"""A part of `unit_of_work.LOAD`, whose $1 are the keys of rows."""

INSERT: Final = "insert into inbox (message_id) select unnest($1::uuid[])"


def enter(ids: Iterable[UUID]) -> Write:
    """Note these; `UniqueViolationError` if one of them was handled before.

    Sorted, so that two processes with overlapping batches wait for each other instead of deadlocking.
    """
    return Write(INSERT, (sorted(ids),))
