"""Each seeded violation is reported under its invariant, with the ids of its saga and order, and nothing else is."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from audit import databases
from tests.audit.seeded import SAGAS, Books

SUCCESS, REFUSED, UNSTOCKED = 5, 8, 9

BY_ORDER = [
    # database, statement about one order ($1), number of the saga, the invariants that are then violated
    ("payment", "update payments set status = 'REFUNDED' where order_id = $1", REFUSED, {"I1"}),
    ("payment", "update payments set amount = amount + 1 where order_id = $1", SUCCESS, {"I2"}),
    ("order", "update orders set total_amount = total_amount + 1 where order_id = $1", UNSTOCKED, {"I2"}),
    ("payment", "delete from payments where order_id = $1", SUCCESS, {"I2"}),
    ("payment", "update payments set status = 'CHARGED' where order_id = $1", REFUSED, {"I2"}),
    ("inventory", "delete from reservations where order_id = $1", SUCCESS, {"I3"}),
    ("inventory", "update reservations set status = 'RELEASED' where order_id = $1", SUCCESS, {"I3"}),
    ("inventory", "update reservations set status = 'RESERVED' where order_id = $1", UNSTOCKED, {"I3"}),
    ("order", "update orders set status = 'PENDING' where order_id = $1", SUCCESS, {"I2", "I3", "I4"}),
    ("order", "delete from orders where order_id = $1", SUCCESS, {"I2", "I3", "I4"}),
    ("payment", "update payments set saga_id = gen_random_uuid() where order_id = $1", REFUSED, {"I6"}),
    ("payment", "update payments set status = 'VOIDED' where order_id = $1", REFUSED, {"I6"}),
    ("payment", "update payments set status = 'CHARGED' where order_id = $1", UNSTOCKED, {"I2", "I7"}),
    ("order", "update orders set status = 'PENDING' where order_id = $1", UNSTOCKED, {"I4", "I7"}),
    ("orchestrator", "update sagas set step = 'PAYMENT_CHARGED' where order_id = $1", SUCCESS, {"I8"}),
    ("orchestrator", "update sagas set seq = 8 where order_id = $1", SUCCESS, {"I8"}),
    (
        "orchestrator",
        "delete from saga_events e using sagas s where e.saga_id = s.saga_id and order_id = $1 and e.seq = 7",
        SUCCESS,
        {"I8"},
    ),
    (
        "orchestrator",
        "update saga_events e set causation_id = gen_random_uuid() from sagas s"
        " where e.saga_id = s.saga_id and order_id = $1 and e.seq = 5",
        SUCCESS,
        {"I8"},
    ),
    (
        "orchestrator",
        "update checkout_requests r set idempotency_key = 'another' from sagas s"
        " where r.saga_id = s.saga_id and order_id = $1",
        SUCCESS,
        {"I10"},
    ),
    (
        "orchestrator",
        "insert into checkout_requests select 'another', '', saga_id from sagas where order_id = $1",
        SUCCESS,
        {"I10"},
    ),
]


async def test_consistent_databases_violate_nothing(books: Books) -> None:
    verdicts = await books.verdicts(quiesced=True, strict=True, recovery_seconds=0)
    assert {name: v.findings for name, v in verdicts.items() if v.count or v.unreadable} == {}
    assert verdicts["I2"].looked == verdicts["I8"].looked == verdicts["I10"].looked == SAGAS


@pytest.mark.parametrize(("database", "statement", "number", "invariants"), BY_ORDER)
async def test_a_seeded_violation_is_found(
    books: Books, database: str, statement: str, number: int, invariants: set[str]
) -> None:
    saga, order = await books.ids(number)
    await getattr(books, database)(statement, order)
    assert await books.found(quiesced=True) == {name: {(saga, order)} for name in invariants}


async def test_two_payments_for_an_order_are_found(books: Books) -> None:
    _, order = await books.ids(SUCCESS)
    await books.payment("alter table payments drop constraint payments_pkey")
    try:
        await books.payment("insert into payments select * from payments where order_id = $1", order)
        assert await books.found() == {"I1": {(None, order)}}
    finally:
        await books.payment("delete from payments")
        await books.payment("alter table payments add primary key (order_id)")


async def test_a_lost_and_an_altered_acknowledgement_are_found(books: Books, tmp_path: Path) -> None:
    (saga, order), (other, _), lost = await books.ids(SUCCESS), await books.ids(REFUSED), uuid4()
    told = {"sagaId": str(saga), "orderId": str(order), "status": "COMPLETED", "step": "ORDER_CONFIRMED"}
    right = [told | {"idempotencyKey": f"key-{SUCCESS}"}, told | {"status": "RUNNING", "step": "STARTED"}]
    wrong = [told | {"sagaId": str(lost)}, told | {"sagaId": str(other)}, told | {"idempotencyKey": "key-1"}]
    file = tmp_path / "history"
    file.write_text("\n".join(json.dumps(line) for line in [*right, {"httpStatus": 503}]))
    assert await books.found(history=file) == {}
    file.write_text("\n".join(json.dumps(line) for line in [*right, *wrong]))
    assert await books.found(history=file) == {"I4": {(lost, order), (other, order), (saga, order)}}


async def test_a_saga_that_is_overdue_is_found_unless_it_is_flagged(books: Books) -> None:
    saga, order = await books.ids(SUCCESS)
    running = """update sagas set status = 'RUNNING', step = 'INVENTORY_RESERVED', attempt = 1, seq = 8,
        deadline = now() + $2, awaiting = (select message_id from saga_events e where e.saga_id = sagas.saga_id
        and seq = 8) where saga_id = $1"""
    await books.orchestrator("delete from saga_events where saga_id = $1 and seq = 9", saga)
    await books.orchestrator(running, saga, timedelta(seconds=5))
    assert await books.found() == {}
    assert await books.found(quiesced=True) == {"I5": {(saga, order)}}
    await books.orchestrator(running, saga, timedelta(seconds=-40))
    assert await books.found() == {"I5": {(saga, order)}}
    assert await books.found(recovery_seconds=60) == {}
    await books.orchestrator("update sagas set needs_attention = 'look' where saga_id = $1", saga)
    verdict = (await books.verdicts(only={"I5"}))["I5"]
    assert (verdict.count, verdict.notes) == (0, [f"saga {saga} needs attention: look"])


async def test_what_an_operator_resolved_is_the_operators_business(books: Books) -> None:
    saga, order = await books.ids(UNSTOCKED)
    await books.payment("delete from payments where order_id = $1", order)
    await books.inventory("update reservations set status = 'RESERVED' where order_id = $1", order)
    await books.orchestrator("update saga_events set type = 'Resolve' where saga_id = $1 and seq = 11", saga)
    assert await books.found(only={"I2", "I3", "I4"}) == {}
    (note,) = (await books.verdicts())["I5"].notes
    assert "resolved by hand: the reservation is RESERVED, its order is CANCELLED" in note
    assert str(order) in note


async def test_rows_of_strangers_are_a_note_unless_strict(books: Books) -> None:
    saga, order = uuid4(), uuid4()
    await books.payment("insert into payments values ($1, $2, 5, 'CHARGED')", order, saga)
    verdict = (await books.verdicts())["I6"]
    assert verdict.count == 0
    assert verdict.notes[0].startswith("1 orders have rows but no saga here")
    assert await books.found(strict=True) == {"I6": {(saga, order)}}


async def test_a_row_for_an_order_that_is_not_its_sagas_is_found(books: Books) -> None:
    saga, _ = await books.ids(SUCCESS)
    stray = uuid4()
    await books.payment("insert into payments values ($1, $2, 5, 'CHARGED')", stray, saga)
    assert await books.found() == {"I6": {(saga, stray)}}


async def test_what_nobody_asked_for_is_found(books: Books) -> None:
    saga, order = await books.ids(REFUSED)
    await books.inventory("insert into reservations values ($1, $2, 'FAILED')", order, saga)
    assert await books.found() == {"I6": {(saga, order)}}


@pytest.mark.parametrize("database", ["orchestrator", "payment", "inventory"])
async def test_an_unpublished_message_is_found_once_it_is_old(books: Books, database: str) -> None:
    saga, _ = await books.ids(SUCCESS)
    await getattr(books, database)(
        "update outbox set published_at = null where message_id = (select min(message_id::text)::uuid from outbox"
        " where key = $1)",
        saga,
    )
    assert await books.found(recovery_seconds=30) == {}
    assert await books.found(recovery_seconds=0, only={"I9"}) == {"I9": {(saga, None)}}


async def test_a_message_that_counted_twice_is_found(books: Books) -> None:
    saga, order = await books.ids(SUCCESS)
    await books.orchestrator(
        """update saga_events e set message_id = first.message_id, type = first.type from saga_events first
        where e.saga_id = $1 and first.saga_id = $1 and e.seq = 9 and first.seq = 7""",
        saga,
    )
    assert "I9" in await books.found()
    assert (await books.found(only={"I9"})) == {"I9": {(saga, order)}}


async def test_a_message_that_came_late_and_had_counted_already_is_found(books: Books) -> None:
    saga, order = await books.ids(SUCCESS)
    await books.orchestrator(
        """insert into saga_events (saga_id, seq, kind, type, at, message_id, causation_id, body)
        select saga_id, 10, 'LATE', type, at, message_id, causation_id, body from saga_events
        where saga_id = $1 and seq = 5""",
        saga,
    )
    assert await books.found(only={"I9"}) == {"I9": {(saga, order)}}


@pytest.mark.parametrize("database", ["payment", "inventory"])
async def test_a_command_that_was_handled_twice_is_found(books: Books, database: str) -> None:
    saga, order = await books.ids(SUCCESS)
    await getattr(books, database)(
        """insert into outbox (message_id, causation_id, destination, type, key, body, publish_after, published_at)
        select gen_random_uuid(), causation_id, destination, type, key, body, publish_after, published_at from outbox
        where key = $1""",
        saga,
    )
    assert await books.found(only={"I9"}) == {"I9": {(saga, order)}}


async def test_a_reply_that_never_arrived_is_found_once_all_is_quiet(books: Books) -> None:
    saga, order = await books.ids(SUCCESS)
    await books.orchestrator(
        "delete from inbox where message_id = (select message_id from saga_events where saga_id = $1 and seq = 7)", saga
    )
    assert await books.found() == {}
    assert await books.found(quiesced=True) == {"I9": {(saga, order)}}


async def test_the_auditor_cannot_write(books: Books) -> None:
    async with databases.snapshots(books.addresses) as snapshots:
        for connection in snapshots.by_service.values():
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await connection.execute("delete from outbox")
            await connection.execute("rollback")
            await connection.execute("set default_transaction_read_only = off")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("delete from outbox")
