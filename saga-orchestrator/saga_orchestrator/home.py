"""Saga ids whose replies come back to the process that began the saga.

A reply's key is the saga id, the key decides its partition, and the group decides who reads that. So whoever chooses
the id chooses the reader: itself, since it remembers the saga and holds its caller's future. A convenience, as both of
these are; after a rebalance, or for an id made from an Idempotency-Key, the replies go to any replica.
"""

from collections.abc import Callable
from uuid import UUID

from uuid_utils.compat import uuid7

TRIES = 64
"""Enough for one of ten replicas: all 64 draws miss its partitions once in a thousand checkouts, and any id will do."""


def new_saga_id(comes_here: Callable[[UUID], bool]) -> UUID:
    """An id for which this is true, if one is found."""
    for _ in range(TRIES):
        saga_id = uuid7()
        if comes_here(saga_id):
            break
    return saga_id
