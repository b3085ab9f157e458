"""Whether the rows of one order agree with its saga: the auditor's rules, asked about this one case."""

from collections.abc import Iterator

from audit.books import Case
from audit.checks.orders import RULES
from audit.databases import SERVICES
from audit.lists import Lists
from audit.replay import shape
from ops.explain.facts import Facts, Row


def disagreements(facts: Facts) -> Iterator[str]:
    """What the rules find: that, and what to do."""
    if facts.saga is None or why_unknown(facts):
        return
    saga = shape(facts.saga, facts.log, Lists(facts.saga["lists"]))
    order, payment, reservation = (facts.rows.get(name) for name in list(SERVICES)[1:])
    amounts = {facts.saga["asked"], order and order["total_amount"], payment and payment["amount"]} - {None}
    sagas = {facts.saga["saga_id"], *(row["saga_id"] for row in (payment, reservation) if row)}
    case = Case(saga, _status(order), _status(payment), _status(reservation), len(amounts) < 2, len(sagas) < 2)
    for invariant, rule in RULES.items():
        for what, todo in rule(case, saga):
            yield f"{invariant}: {what}. To do: {todo}."


def why_unknown(facts: Facts) -> str | None:
    """Why the rules cannot be asked."""
    if unread := [name for name in SERVICES if name in facts.away]:
        return f"the database of {', '.join(unread)} could not be read"
    if facts.saga and "cannot_be_read" in facts.saga:
        return "the row of its saga cannot be read"
    if facts.log and facts.log[0]["seq"] > 1:
        return "only the end of its long log was read; `make audit` reads all of it"
    return None


def _status(row: Row | None) -> str | None:
    return row["status"] if row else None
