"""Databases of the tests' own, with a few consistent sagas."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from audit.databases import Address
from tests.audit import consistent
from tests.audit.seeded import SAGAS, Books


@pytest.fixture(scope="session")
def audited() -> Iterator[list[Address]]:
    """Four databases for the whole run; gone afterwards."""
    name = f"audit_{uuid4().hex[:12]}"
    try:
        yield asyncio.run(consistent.create(name))
    finally:
        asyncio.run(consistent.drop(name))


@pytest.fixture
async def books(audited: list[Address]) -> Books:
    """A few consistent sagas in them."""
    await consistent.empty(audited)
    await consistent.fill(audited, SAGAS)
    return Books(audited)
