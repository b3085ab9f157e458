"""Looks, looks again at what seemed wrong, and gives a verdict on each invariant.

The four snapshots are not of one instant, and running sagas move. The orchestrator's is taken first, so the
participants can only be further on; rules about a saga's end apply only to sagas that had ended in it. Even so a
reply, a mark or an undo may be on its way. So whatever seems wrong is looked at once more after a moment
(`settle_seconds`), in new snapshots, and only what both looks show is reported.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

from audit import books
from audit.checks import dead_letters, history, messages, orders, tables
from audit.databases import snapshots
from audit.look import Look, Options
from audit.report import Verdict

Check: TypeAlias = Callable[[Look, Verdict], Awaitable[None]]


async def audit(options: Options) -> list[Verdict]:
    """A verdict on each invariant asked for."""
    wanted = [invariant for invariant in CHECKS if not options.only or invariant in options.only]
    first = await _look(options, wanted, only=None)
    if doubtful := [verdict for verdict in first if verdict.findings]:
        await asyncio.sleep(options.settle_seconds)
        about = {f.order_id for verdict in doubtful for f in verdict.findings if f.order_id}
        second = await _look(options, [verdict.invariant for verdict in doubtful], only=about)
        for verdict, again in zip(doubtful, second, strict=True):
            verdict.confirm(again)
    return first


async def _look(options: Options, wanted: Sequence[str], only: Collection[UUID] | None) -> list[Verdict]:
    verdicts = [Verdict(invariant, CHECKS[invariant][0]) for invariant in wanted]
    async with snapshots(options.databases) as connections:
        needs_books = not orders.RULES.keys().isdisjoint(wanted)
        look = Look(options, connections, await books.read(connections, only) if needs_books else [])
        for verdict in verdicts:
            for check in CHECKS[verdict.invariant][1]:
                await check(look, verdict)
    return verdicts


CHECKS: Mapping[str, tuple[str, tuple[Check, ...]]] = {
    "I1": ("charged at most once, refunded only if charged", (orders.check, tables.payment_rows)),
    "I2": ("charged = refunded + confirmed", (orders.check, orders.balance)),
    "I3": ("reserved = confirmed", (orders.check,)),
    "I4": ("an acknowledged checkout has its saga and order", (orders.check, history.acknowledged)),
    "I5": ("every saga ends in time, or is flagged", (tables.running, orders.resolved_by_hand)),
    "I6": ("no orphans", (orders.check, orders.strangers)),
    "I7": ("what is undone stays undone", (orders.check,)),
    "I8": ("the log replays to the row", (orders.check,)),
    "I9": ("all published, all applied, once", (messages.published, messages.applied_once, messages.arrived)),
    "I10": ("one saga a key", (tables.idempotency_keys,)),
    "I11": ("no open dead letters", (dead_letters.open_letters,)),
}
