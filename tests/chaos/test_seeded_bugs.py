"""The auditor is proven: of services with one part swapped it names the invariant that they break, and the saga."""

import pytest

from audit.auditor import CHECKS, audit
from audit.databases import addresses
from audit.look import Options
from tests.chaos.conftest import FORM
from tests.chaos.seeded import BUGS, SETTINGS, Bug, forget
from tests.chaos.system import running
from tests.support.stack import KAFKA_BROKER, OFFSET

Found = dict[str, set[str]]
SEEDED = list({bug.proves.args: bug for bug in BUGS}.values()) if FORM == "short" else BUGS
"""In the short form one of a kind."""
ALL_BUT_DEAD_LETTERS = frozenset(CHECKS) - {"I11"}


@pytest.mark.parametrize("bug", [pytest.param(bug, marks=bug.proves, id=str(bug)) for bug in SEEDED])
async def test_the_auditor_finds_what_the_bug_has_done(bug: Bug) -> None:
    async with running(SETTINGS, {bug.service: f"tests.chaos.bugs.{bug.module}"}) as system:
        saga_id = await bug.circumstance(system)
        found = await violations()
        await forget(system.databases, saga_id)
    assert found == {invariant: {saga_id} for invariant in bug.violates}


async def test_the_same_circumstances_do_the_product_no_harm() -> None:
    async with running(SETTINGS) as system:
        for circumstance in dict.fromkeys(bug.circumstance for bug in SEEDED):
            await system.agree([await circumstance(system)])
        assert await violations() == {}


async def violations() -> Found:
    """The violated invariants, each with the sagas that the auditor names."""
    options = Options(addresses(OFFSET), KAFKA_BROKER, only=ALL_BUT_DEAD_LETTERS, settle_seconds=0.5, quiesced=True)
    verdicts = await audit(options)
    return {v.invariant: {str(finding.saga_id) for finding in v.findings} for v in verdicts if v.count}
