"""What an order's rows in four databases must say together: a rule a function, asked once for each different case.

A rule yields what is wrong and what to do. Rules of a saga's end apply to terminal sagas only, and not to those that
an operator has ended by hand.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from audit.books import Case
from audit.look import Look
from audit.replay import Shape
from audit.report import Finding, Verdict

Problems: TypeAlias = Iterator[tuple[str, str]]
Rule: TypeAlias = Callable[[Case, Shape], Problems]

EXPLAIN = "read the saga's log (GET /sagas/{id}) beside the rows"
SETTLE = f"{EXPLAIN}, then refund or charge by hand"


def refunded_only_if_charged(case: Case, saga: Shape) -> Problems:
    """I1: a REFUNDED row needs a charge and a refund in the saga's log, and no definite no."""
    if case.payment != "REFUNDED" or not case.same_saga:
        return
    if not {"ChargePayment", "RefundPayment"} <= saga.sent:
        yield "the payment is REFUNDED, but its saga never asked for a charge and its refund", SETTLE
    elif "PaymentFailed" in saga.received:
        yield "the payment is REFUNDED, but it had been refused", SETTLE


def money_of_confirmed_orders(case: Case, saga: Shape) -> Problems:
    """I2: charged money belongs to CONFIRMED orders, and each of them is paid in full."""
    if not case.same_amount:
        yield "checkout, order and payment differ in the amount", SETTLE
    if not saga.ended or saga.by_hand:
        return
    if case.order == "CONFIRMED" and case.payment != "CHARGED":
        yield f"the order is CONFIRMED, its payment is {case.payment}", SETTLE
    if case.payment == "CHARGED" and case.order != "CONFIRMED":
        yield f"the payment is CHARGED, its order is {case.order}", SETTLE


def stock_of_confirmed_orders(case: Case, saga: Shape) -> Problems:
    """I3: RESERVED exactly where the order is CONFIRMED."""
    if not saga.ended or saga.by_hand:
        return
    if (case.reservation == "RESERVED") != (case.order == "CONFIRMED"):
        yield f"the reservation is {case.reservation}, its order is {case.order}", f"{EXPLAIN}, then correct the stock"


def order_of_the_saga(case: Case, saga: Shape) -> Problems:
    """I4: one order once the log shows OrderCreated, and it ends as its saga ends."""
    if case.order is None and "OrderCreated" in saga.received:
        yield "the log shows OrderCreated, but there is no order", "restore the order from the log"
    elif saga.by_hand or "OrderRejected" in saga.received:
        return
    elif case.order is not None and saga.ended and (saga.status, case.order) not in ENDINGS:
        yield f"the saga is {saga.status} at {saga.step}, its order is {case.order}", EXPLAIN


def asked_for(case: Case, saga: Shape) -> Problems:
    """I6: whatever exists was asked for by the saga that it names."""
    if not case.same_saga:
        yield "the payment or the reservation names another saga", EXPLAIN
        return
    for what, status, do, undo in (
        ("payment", case.payment, "ChargePayment", "RefundPayment"),
        ("reservation", case.reservation, "ReserveInventory", "ReleaseInventory"),
    ):
        command = undo if status == "VOIDED" else do
        if status is not None and command not in saga.sent:
            yield f"the {what} is {status}, but its saga never sent {command}", EXPLAIN
    if case.order is not None and "CreateOrder" not in saga.sent:
        yield "there is an order, but its saga never sent CreateOrder", EXPLAIN


def undone_stays_undone(case: Case, saga: Shape) -> Problems:
    """I7: nothing has an effect after its compensation was answered."""
    todo = f"a late command got through: {EXPLAIN}, and undo it by hand"
    if "PaymentRefunded" in saga.received and case.same_saga and case.payment == "CHARGED":
        yield "the payment is CHARGED after PaymentRefunded", todo
    if "InventoryReleased" in saga.received and case.same_saga and case.reservation == "RESERVED":
        yield "the reservation is RESERVED after InventoryReleased", todo
    if "OrderCancelled" in saga.received and case.order != "CANCELLED":
        yield f"the order is {case.order} after OrderCancelled", todo


def log_replays(case: Case, saga: Shape) -> Problems:
    """I8: the engine, fed the log, arrives at the stored row; one is replayed of all whose log and row look alike."""
    for fault in saga.faults:
        yield fault, "compare the log with the row; if a release changed the steps, this is why"


ENDINGS = {("COMPLETED", "CONFIRMED"), ("FAILED", "CANCELLED")}

RULES: Mapping[str, Rule] = {
    "I1": refunded_only_if_charged,
    "I2": money_of_confirmed_orders,
    "I3": stock_of_confirmed_orders,
    "I4": order_of_the_saga,
    "I6": asked_for,
    "I7": undone_stays_undone,
    "I8": log_replays,
}
OF_THE_END = ("I2", "I3", "I4")
"""The rules that pass over sagas which were resolved by hand."""
NAMED = 5


async def check(look: Look, verdict: Verdict) -> None:
    """Ask this invariant's rule about every case."""
    rule = RULES[verdict.invariant]
    for case, group in look.books:
        if case.saga is not None:
            verdict.looked += group.count
            for what, todo in rule(case, case.saga):
                verdict.add((Finding(what, todo, saga, order) for order, saga in group.ids), group.count)


async def balance(look: Look, verdict: Verdict) -> None:
    """I2 in money: charged = refunded + confirmed, over terminal sagas."""
    ended = [(case, group) for case, group in look.books if case.saga and case.saga.ended and not case.saga.by_hand]
    charged = sum(group.paid for case, group in ended if case.payment in ("CHARGED", "REFUNDED"))
    refunded = sum(group.paid for case, group in ended if case.payment == "REFUNDED")
    confirmed = sum(group.ordered for case, group in ended if case.order == "CONFIRMED")
    difference = charged - refunded - confirmed
    verdict.notes.append(
        f"charged {_money(charged)} = refunded {_money(refunded)} + confirmed {_money(confirmed)}"
        + (f" + {_money(difference)} too much" if difference else "")
    )


async def resolved_by_hand(look: Look, verdict: Verdict) -> None:
    """Note the sagas that an operator has ended, and what is still wrong with them: the operator answers for that."""
    for case, group in look.books:
        if case.saga and case.saga.by_hand:
            by_itself = replace(case.saga, received=case.saga.received - {"Resolve"})
            wrong = [what for name in OF_THE_END for what, _ in RULES[name](case, by_itself)]
            orders = ", ".join(str(order) for order, _ in group.ids[:NAMED])
            more = f" and {group.count - NAMED:,} more" if group.count > NAMED else ""
            verdict.notes.append(f"resolved by hand: {'; '.join(wrong) or 'all agrees'} (order {orders}{more})")


async def strangers(look: Look, verdict: Verdict) -> None:
    """I6: orders, payments and reservations of no saga; foreign clients may make them, so only `--strict` objects.

    A payment or reservation that does name a saga of ours, but an order that is not that saga's, is an orphan.
    """
    unknown = [group for case, group in look.books if case.saga is None]
    named = {saga: order for group in unknown for order, saga in group.ids if saga}
    ours = await look.snapshots.orchestrator.fetch(
        "select saga_id from sagas where saga_id = any($1::uuid[])", list(named)
    )
    verdict.add(
        Finding("a row for an order that is not its saga's", EXPLAIN, row["saga_id"], named[row["saga_id"]])
        for row in ours
    )
    verdict.looked += (count := sum(group.count for group in unknown))
    if look.options.strict:
        for group in unknown:
            verdict.add((Finding("nobody's rows", EXPLAIN, saga, order) for order, saga in group.ids), group.count)
    elif count:
        verdict.notes.append(f"{count:,} orders have rows but no saga here: foreign clients' (--strict objects)")


def _money(cents: int) -> str:
    return f"{cents / 100:,.2f}"
