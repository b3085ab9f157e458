"""N consistent sagas, written by SQL: three in five succeed, one in five is refused its payment, one its stock.

All ids are made from the saga's number, so that four databases that cannot see each other agree on them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files

from audit.databases import Address, login
from chassis import migrations

PACKAGES = ("saga_orchestrator", "order_service", "payment_service", "inventory_service")
TABLES = (("saga_events", "checkout_requests", "sagas"), ("orders",), ("payments",), ("reservations",))
AT_ONCE = 100_000

FUNCTIONS = """
create function pg_temp.id(n bigint, what text) returns uuid language sql immutable as $$
    select (lpad(to_hex(1750000000000 + n / 2), 12, '0') || overlay(overlay(substr(hash, 1, 20)
        placing '7' from 1 for 1) placing '8' from 5 for 1))::uuid from md5(what || n) hash
$$;
create function pg_temp.cents(n bigint) returns numeric language sql immutable as $$ select 1 + (n % 50000) / 100.0 $$;
create function pg_temp.outcome(n bigint) returns text language sql immutable as $$
    select (array['SUCCESS', 'SUCCESS', 'SUCCESS', 'PAYMENT_FAILED', 'INVENTORY_FAILED'])[1 + n % 5]
$$;
create temp table script (outcome text, seq int, kind text, type text);
insert into script
select outcome, seq, case when seq % 2 = 1 then 'RECEIVED' else 'SENT' end, type
from (values
    ('SUCCESS', 'StartCheckout CreateOrder OrderCreated ChargePayment PaymentCharged ReserveInventory'
                ' InventoryReserved ConfirmOrder OrderConfirmed'),
    ('PAYMENT_FAILED', 'StartCheckout CreateOrder OrderCreated ChargePayment PaymentFailed CancelOrder OrderCancelled'),
    ('INVENTORY_FAILED', 'StartCheckout CreateOrder OrderCreated ChargePayment PaymentCharged ReserveInventory'
                         ' InventoryFailed RefundPayment PaymentRefunded CancelOrder OrderCancelled')
) scripts (outcome, types), unnest(string_to_array(types, ' ')) with ordinality as entry (type, seq);
create temp view events as
select n, seq, kind, type, pg_temp.id(n, 'saga') as saga_id, pg_temp.id(n, 'message' || seq) as message_id,
    case when seq > 1 then pg_temp.id(n, 'message' || seq - 1) end as causation_id
from generate_series({first}, {last}) n join script on outcome = pg_temp.outcome(n);
create temp view bodies as
select n, jsonb_build_object('sagaId', pg_temp.id(n, 'saga'), 'orderId', pg_temp.id(n, 'order'), 'userId', 'u' || n,
    'totalAmount', pg_temp.cents(n), 'amount', pg_temp.cents(n), 'reason', 'NO', 'idempotencyKey', 'key-' || n) as body
from generate_series({first}, {last}) n;
"""

SAGAS = """
insert into sagas (saga_id, order_id, status, step, reason, position, direction, attempt, start, seq)
select pg_temp.id(n, 'saga'), pg_temp.id(n, 'order'), status, step, reason, position, direction, 0, body, seq
from bodies join (values
    ('SUCCESS', 'COMPLETED', 'ORDER_CONFIRMED', null, 3, 'FORWARD', 9),
    ('PAYMENT_FAILED', 'FAILED', 'PAYMENT_FAILED', 'NO', 0, 'BACKWARD', 7),
    ('INVENTORY_FAILED', 'FAILED', 'INVENTORY_FAILED', 'NO', 0, 'BACKWARD', 11)
) endings (outcome, status, step, reason, position, direction, seq) on outcome = pg_temp.outcome(n)"""
LOG = """
insert into saga_events (saga_id, seq, kind, type, at, message_id, causation_id, body)
select saga_id, seq, kind, type, now(), message_id, causation_id, body from events join bodies using (n)
order by n, seq"""
REQUESTS = """
insert into checkout_requests (idempotency_key, fingerprint, saga_id)
select 'key-' || n, '', pg_temp.id(n, 'saga') from bodies"""
ORDERS = """
insert into orders (order_id, user_id, total_amount, status)
select pg_temp.id(n, 'order'), 'u' || n, pg_temp.cents(n),
    case pg_temp.outcome(n) when 'SUCCESS' then 'CONFIRMED' else 'CANCELLED' end from bodies"""
PAYMENTS = """
insert into payments (order_id, saga_id, amount, status)
select pg_temp.id(n, 'order'), pg_temp.id(n, 'saga'), pg_temp.cents(n), case pg_temp.outcome(n)
    when 'SUCCESS' then 'CHARGED' when 'PAYMENT_FAILED' then 'FAILED' else 'REFUNDED' end from bodies"""
RESERVATIONS = """
insert into reservations (order_id, saga_id, status)
select pg_temp.id(n, 'order'), pg_temp.id(n, 'saga'),
    case pg_temp.outcome(n) when 'SUCCESS' then 'RESERVED' else 'FAILED' end
from bodies where pg_temp.outcome(n) <> 'PAYMENT_FAILED'"""
OUTBOX = """
insert into outbox (message_id, causation_id, destination, type, key, body, publish_after, published_at)
select message_id, causation_id, 'somewhere', type, saga_id, body, now(), now()
from events join bodies using (n) where kind = '{kind}' and type ~ '{types}' order by n, seq"""
INBOX = "insert into inbox (message_id) select message_id from events where kind = '{kind}' and type ~ '{types}'"


def messages(sent: str, handled: str, types: str) -> tuple[str, ...]:
    """Outbox and inbox, of the messages that the saga's log names so."""
    return OUTBOX.format(kind=sent, types=types), INBOX.format(kind=handled, types=types)


STATEMENTS: Mapping[str, tuple[str, ...]] = {
    "saga_orchestrator": (SAGAS, LOG, REQUESTS, *messages("SENT", "RECEIVED", ".")),
    "order_service": (ORDERS, INBOX.format(kind="SENT", types="Order$")),
    "payment_service": (PAYMENTS, *messages("RECEIVED", "SENT", "Payment")),
    "inventory_service": (RESERVATIONS, *messages("RECEIVED", "SENT", "Inventory")),
}


async def create(name: str, beside: list[Address]) -> list[Address]:
    """Four empty databases of this name beside the services' own, with the services' tables."""
    where = [replace(cluster, database=name) for cluster in beside]
    for cluster, address, package in zip(beside, where, PACKAGES, strict=True):
        await execute(cluster, f"create database {name}")
        await migrate(address, package)
    return where


async def migrate(address: Address, package: str) -> None:
    """The service's tables."""
    connection = await login(address)
    await migrations.apply(connection, (files("chassis") / "migrations", files(package) / "migrations"))
    await connection.close()


async def drop(name: str, beside: list[Address]) -> None:
    """Remove them."""
    for cluster in beside:
        await execute(cluster, f"drop database if exists {name} with (force)")


async def empty(where: list[Address]) -> None:
    """Delete every row."""
    for address, tables in zip(where, TABLES, strict=True):
        await execute(address, "; ".join(f"delete from {table}" for table in (*tables, "outbox", "inbox")))


async def fill(where: list[Address], sagas: int, after: int = 0) -> None:
    """So many consistent sagas in all four, if so many are there already."""
    await asyncio.gather(*(_fill(a, STATEMENTS[p], sagas, after) for a, p in zip(where, PACKAGES, strict=True)))


async def _fill(address: Address, statements: tuple[str, ...], sagas: int, after: int) -> None:
    for first in range(after + 1, sagas + 1, AT_ONCE):
        connection = await login(address)
        await connection.execute("set synchronous_commit = off; set session_replication_role = replica")
        await connection.execute(FUNCTIONS.format(first=first, last=min(first + AT_ONCE - 1, sagas)))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


async def execute(address: Address, statement: str, *args: object) -> None:
    """One statement, as the owner."""
    connection = await login(address)
    await connection.execute(statement, *args)
    await connection.close()
