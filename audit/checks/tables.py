"""What each database must say by itself, asked in SQL."""

from collections.abc import Mapping

from audit.databases import Connection
from audit.look import Look
from audit.report import Finding, Verdict
from saga_orchestrator.checkout import CHECKOUT

MOST = 10_000

WRONG_PAYMENTS = """
select order_id, saga_id from payments
where status not in ('CHARGED', 'FAILED', 'REFUNDED', 'VOIDED')
    or amount <= 0 or (amount is null and status not in ('VOIDED', 'FAILED'))
limit $1"""
TWICE = "select order_id from {} group by order_id having count(*) > 1 limit $1"

OVERDUE = """
select saga_id, order_id, status, step, deadline,
    deadline < now() - make_interval(secs => $1)
    or created_at < now() - make_interval(secs => $1 + $2) as late
from sagas where status = 'RUNNING' and needs_attention is null and (
    $3 or deadline < now() - make_interval(secs => $1) or created_at < now() - make_interval(secs => $1 + $2)
) limit $4"""

FLAGGED = """
select saga_id, needs_attention from sagas where needs_attention is not null order by created_at limit 10"""

KEYS = """
select coalesce(request.saga_id, saga.saga_id) as saga_id, saga.order_id, request.idempotency_key as kept,
    saga.start ->> 'idempotencyKey' as asked
from (select * from sagas where start ? 'idempotencyKey') saga full join checkout_requests request using (saga_id)
where request.idempotency_key is distinct from saga.start ->> 'idempotencyKey' limit $1"""


async def payment_rows(look: Look, verdict: Verdict) -> None:
    """I1: one payment, order and reservation an order id; statuses and amounts as the constraints say."""
    todo = "a constraint is missing in this database: restore it, then refund what was charged twice"
    found = await look.snapshots.payment.fetch(WRONG_PAYMENTS, MOST)
    verdict.add(Finding("a payment that no constraint allows", todo, r["saga_id"], r["order_id"]) for r in found)
    tables: Mapping[str, Connection] = {
        "orders": look.snapshots.order,
        "payments": look.snapshots.payment,
        "reservations": look.snapshots.inventory,
    }
    for table, connection in tables.items():
        twice = await connection.fetch(TWICE.format(table), MOST)
        verdict.add(Finding(f"more than one row in {table}", todo, order_id=row["order_id"]) for row in twice)


async def running(look: Look, verdict: Verdict) -> None:
    """I5: nothing runs past its deadline and the recovery time without being flagged; nothing at all once quiet."""
    options, database = look.options, look.snapshots.orchestrator
    verdict.looked = await database.fetchval("select count(*) from sagas where status = 'RUNNING'")
    found = await database.fetch(OVERDUE, options.recovery_seconds, CHECKOUT.expected_seconds, options.quiesced, MOST)
    verdict.add(
        Finding(
            f"still RUNNING at {row['step']}" + (", overdue" if row["late"] else ""),
            "look whether the orchestrator's sweeper runs; POST /sagas/{id}/retry",
            row["saga_id"],
            row["order_id"],
        )
        for row in found
    )
    for row in await database.fetch(FLAGGED):
        verdict.notes.append(f"saga {row['saga_id']} needs attention: {row['needs_attention']}")


async def idempotency_keys(look: Look, verdict: Verdict) -> None:
    """I10: a key has one saga, which was started with that key; a saga started with a key is found by it."""
    database = look.snapshots.orchestrator
    verdict.looked = await database.fetchval("select count(*) from checkout_requests")
    verdict.add(
        Finding(
            f"Idempotency-Key {row['kept']!r} is kept, {row['asked']!r} was asked",
            "correct checkout_requests: a retry with this key may check out twice",
            row["saga_id"],
            row["order_id"],
        )
        for row in await database.fetch(KEYS, MOST)
    )
