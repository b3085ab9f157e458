"""The auditor is proven: of services with one part swapped it names the invariant that they break, and the saga."""

import pytest

from tests.chaos.seeded import BUGS, SETTINGS, Bug, forget
from tests.chaos.system import running
from tests.chaos.verdict import ALL_BUT_DEAD_LETTERS, audit

Found = dict[str, set[str]]


@pytest.mark.parametrize("bug", [pytest.param(bug, marks=bug.proves, id=str(bug)) for bug in BUGS])
async def test_the_auditor_finds_what_the_bug_has_done(bug: Bug) -> None:
    async with running(SETTINGS, {bug.service: f"tests.chaos.bugs.{bug.module}"}) as system:
        saga_id = await bug.circumstance(system)
        found = await violations()
        await forget(system.databases, saga_id)
    assert found == {invariant: {saga_id} for invariant in bug.violates}


async def test_the_same_circumstances_do_the_product_no_harm() -> None:
    async with running(SETTINGS) as system:
        for circumstance in dict.fromkeys(bug.circumstance for bug in BUGS):
            await system.agree([await circumstance(system)])
        assert await violations() == {}


async def violations() -> Found:
    """The violated invariants, each with the sagas that the auditor names."""
    _, report = await audit("--only", ALL_BUT_DEAD_LETTERS, "--quiesced", "--settle-seconds", "0.5")
    violated = [verdict for verdict in report["invariants"] if verdict["violations"]]
    return {verdict["invariant"]: {finding["sagaId"] for finding in verdict["findings"]} for verdict in violated}
