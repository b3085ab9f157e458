"""Four databases to seed violations in, and an auditor of them."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from audit.auditor import audit
from audit.databases import Address, login
from audit.look import Options
from audit.report import Finding, Verdict
from bench import consistent
from tests.support.stack import KAFKA_BROKER

SAGAS = 25


@dataclass
class Books:
    """Four databases; the n-th saga succeeds unless n % 5 is 3 (payment refused) or 4 (stock refused)."""

    addresses: list[Address]
    options: Options = field(init=False)

    def __post_init__(self) -> None:
        self.options = Options(self.addresses, KAFKA_BROKER, {}, settle_seconds=0.1)

    async def orchestrator(self, statement: str, *args: object) -> None:
        await consistent.execute(self.addresses[0], statement, *args)

    async def order(self, statement: str, *args: object) -> None:
        await consistent.execute(self.addresses[1], statement, *args)

    async def payment(self, statement: str, *args: object) -> None:
        await consistent.execute(self.addresses[2], statement, *args)

    async def inventory(self, statement: str, *args: object) -> None:
        await consistent.execute(self.addresses[3], statement, *args)

    async def ids(self, n: int) -> tuple[UUID, UUID]:
        """(saga id, order id) of the n-th saga."""
        connection = await login(self.addresses[0])
        row = await connection.fetchrow("select saga_id, order_id from sagas where start ->> 'userId' = $1", f"u{n}")
        await connection.close()
        assert row
        return row["saga_id"], row["order_id"]

    async def verdicts(self, **options: Any) -> dict[str, Verdict]:
        return {verdict.invariant: verdict for verdict in await audit(replace(self.options, **options))}

    async def found(self, **options: Any) -> dict[str, set[tuple[UUID | None, UUID | None]]]:
        """The (saga, order) ids that each violated invariant names."""
        verdicts = await self.verdicts(**options)
        return {name: {(f.saga_id, f.order_id) for f in v.findings} for name, v in verdicts.items() if v.count}

    async def whats(self, invariant: str, **options: Any) -> list[str]:
        """What the invariant's findings say."""
        findings: list[Finding] = (await self.verdicts(**options))[invariant].findings
        return [finding.what for finding in findings]
