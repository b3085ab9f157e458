"""Kafka has lost its log: what was published is sent again, what waits for it ends, and nothing is doubled."""

from datetime import UTC, datetime

import httpx

from tests.ops.sagas import begin, hold
from tests.ops.shell import Done, ops
from tests.support.consistency import disagreements, orders_of
from tests.support.databases import Databases
from tests.support.eventually import eventually
from tests.support.stack import INVENTORY, frozen
from tests.support.topics import empty
from tests.support.wire import COMMANDS, EVENTS

SAGAS = 12


async def test_sagas_whose_messages_are_lost_end_after_republish_and_nothing_is_doubled(
    http: httpx.AsyncClient, databases: Databases, user: str
) -> None:
    since = datetime.now(UTC).isoformat()
    async with frozen(INVENTORY):
        saga_ids = [await begin(http, user) for _ in range(SAGAS)]
        await eventually(lambda: assert_waiting_for_stock(databases, saga_ids))
        await hold(databases, *saga_ids)
        await empty(*COMMANDS, *EVENTS)
    await eventually(lambda: assert_handles_new_messages(http, user))
    stuck = await running(databases, saga_ids)
    assert stuck > 0, "what was lost was not missed"

    counted = await republish(since, "--dry-run")
    assert counted.events == ["found published since then"] * 4
    assert await running(databases, saga_ids) == stuck

    for _ in range(2):
        await republish(since, "--batch", "20")
        await eventually(lambda: assert_consistent(databases, saga_ids))
    assert len(await orders_of(databases, [user])) == SAGAS
    versions = await databases.payment.fetch("select version from payments where saga_id = any($1)", saga_ids)
    assert [row["version"] for row in versions] == [1] * SAGAS


async def test_what_cannot_be_republished_is_said() -> None:
    for arguments in (["--since", "yesterday"], ["--since", "2026-11-23T10:00:00Z", "--service", "no-such"]):
        done = await ops("republish", *arguments)
        assert done.code != 0
        assert "Traceback" not in done.error
    assert "SINCE=" in (await ops("republish", "--since", "")).error


async def republish(since: str, *options: str) -> Done:
    done = await ops("republish", "--since", since, *options)
    assert done.code == 0, done.out + done.error
    return done


async def assert_waiting_for_stock(databases: Databases, saga_ids: list[str]) -> None:
    published = await databases.orchestrator.fetchval(
        """select count(*) from outbox
           where key = any($1) and type = 'ReserveInventory' and published_at is not null""",
        saga_ids,
    )
    assert published == len(saga_ids)


async def assert_handles_new_messages(http: httpx.AsyncClient, user: str) -> None:
    body = {"userId": f"{user}-after", "totalAmount": 5, "forcePaymentFail": False, "forceInventoryFail": False}
    assert (await http.post("/checkout", json=body)).status_code == 200


async def assert_consistent(databases: Databases, saga_ids: list[str]) -> None:
    assert await disagreements(databases, saga_ids) == []


async def running(databases: Databases, saga_ids: list[str]) -> int:
    count: int = await databases.orchestrator.fetchval(
        "select count(*) from sagas where status = 'RUNNING' and saga_id = any($1)", saga_ids
    )
    return count
