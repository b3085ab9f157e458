"""Databases of the tests' own, with a few consistent sagas."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from audit.databases import Address, addresses
from bench import consistent
from tests.audit.seeded import SAGAS, Books
from tests.support.stack import OFFSET


@pytest.fixture(scope="session")
def audited() -> Iterator[list[Address]]:
    """Four databases for the whole run; gone afterwards."""
    name, beside = f"audit_{uuid4().hex[:12]}", addresses(OFFSET)
    try:
        yield asyncio.run(consistent.create(name, beside))
    finally:
        asyncio.run(consistent.drop(name, beside))


@pytest.fixture
async def books(audited: list[Address]) -> Books:
    """A few consistent sagas in them."""
    await consistent.empty(audited)
    await consistent.fill(audited, SAGAS)
    return Books(audited)
