"""The auditor is proven: of services with one part swapped it names the invariant that they break, and the saga."""

import pytest

from tests.chaos.seeded import BUGS, Bug, forget
from tests.chaos.system import running
from tests.chaos.verdict import ALL_BUT_DEAD_LETTERS, audit

Found = dict[str, set[str]]


@pytest.mark.parametrize("bug", BUGS, ids=str)
async def test_the_auditor_finds_what_the_bug_has_done(bug: Bug) -> None:
    async with running(bug.settings, {bug.service: f"tests.chaos.bugs.{bug.module}"}) as system:
        saga_id = await bug.circumstance(system)
        found = await violations()
        await forget(system.databases, saga_id)
    assert found == {invariant: {saga_id} for invariant in bug.violates}


@pytest.mark.parametrize("bug", BUGS, ids=str)
async def test_the_same_circumstance_does_the_product_no_harm(bug: Bug) -> None:
    async with running(bug.settings) as system:
        saga_id = await bug.circumstance(system)
        await system.agree([saga_id])
        assert await violations() == {}


async def violations() -> Found:
    """The violated invariants, each with the sagas that the auditor names."""
    _, report = await audit("--only", ALL_BUT_DEAD_LETTERS, "--quiesced", "--settle-seconds", "1")
    violated = [verdict for verdict in report["invariants"] if verdict["violations"]]
    return {verdict["invariant"]: {finding["sagaId"] for finding in verdict["findings"]} for verdict in violated}
