"""Every crash point × every message type that it can meet × every scenario in which it can."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

import inventory_service.messages as inventory
import payment_service.messages as payment
import saga_orchestrator.messages as orchestrator
from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Service
from tests.chaos.scenarios import SCENARIOS, Met, Scenario
from tests.chaos.system import System

FROM_KAFKA: Mapping[Service, Collection[str]] = {
    ORDER: (),
    PAYMENT: [body.__name__ for body in payment.READS],
    INVENTORY: [body.__name__ for body in inventory.READS],
    ORCHESTRATOR: [body.__name__ for body in orchestrator.READS],
}
BY_HTTP = [body.__name__ for body in orchestrator.SENDS if body.destination == ORDER.name]


APART = 2
"""A process that dies again in the same saga does so at least one message handled and one sent later."""


@dataclass(frozen=True)
class Combination:
    """A service dies at this point with this type of message at hand; `type` is a topic where messages are parked.

    `rank` tells what comes earlier and what later in a saga: the n-th message handled is 2n, what it causes 2n + 1.
    """

    service: Service
    point: str
    type: str
    scenario: Scenario
    rank: int

    @property
    def lives(self) -> tuple[str, ...]:
        """What CRASH_AT is in each life: only a process that died with something unsent has something to sweep."""
        here = f"{self.point}@{self.type}" if self.type else self.point
        return (f"relay.before_send@{self.type}", here) if self.point == "relay.leased" else (here,)


Chain: TypeAlias = list[Combination]
"""How one process dies in one saga: at one place after the other."""


def combinations(scenario: Scenario) -> list[Combination]:
    """All of one scenario."""
    return [
        Combination(service, point, type_, scenario, rank)
        for service, met in scenario.met.items()
        for point, type_, rank in _reached(service, met)
    ]


def _reached(service: Service, met: Met) -> Iterator[tuple[str, str, int]]:
    for number, type_ in enumerate(met.handles.split()):
        yield "batch.before_commit", type_, 2 * number
        yield "batch.committed", type_, 2 * number
        if type_ in FROM_KAFKA[service]:
            yield "consumer.before_offset_commit", type_, 2 * number
        if type_ == "StartCheckout":
            yield "checkout.accepted", "", 2 * number
    for number, type_ in enumerate(met.sends.split()):
        yield "relay.before_send", type_, 2 * number + 1
        yield "relay.acknowledged", type_, 2 * number + 1
        yield "relay.leased", type_, 2 * number + 1
        if type_ in BY_HTTP:
            yield "order_call.answered", type_, 2 * number + 1
    for topic in met.parks.split():
        yield "retry.parked", topic, 2 * met.parks_before - 1


def everywhere() -> list[Combination]:
    """All of all scenarios."""
    return [combination for scenario in SCENARIOS for combination in combinations(scenario)]


def once() -> list[Combination]:
    """Every point × type of every service in the first scenario that reaches it."""
    first: dict[tuple[Service, str, str], Combination] = {}
    for combination in everywhere():
        first.setdefault((combination.service, combination.point, combination.type), combination)
    return list(first.values())


def rounds(wanted: Collection[Combination]) -> list[list[Chain]]:
    """One saga a round, and at most one chain a service in it."""
    by_service: dict[Service, list[Combination]] = {}
    for combination in wanted:
        by_service.setdefault(combination.service, []).append(combination)
    some = zip_longest(*(_chains(combinations) for combinations in by_service.values()), fillvalue=[])
    return [[chain for chain in chains if chain] for chains in some]


def _chains(wanted: Iterable[Combination]) -> list[Chain]:
    left, chains = sorted(wanted, key=lambda c: c.rank), list[Chain]()
    while left:
        chain: Chain = []
        for combination in left:
            if not chain or combination.rank >= chain[-1].rank + APART:
                chain.append(combination)
        left = [c for c in left if c not in chain]
        chains.append(chain)
    return chains


async def observed(system: System, saga_id: str) -> Mapping[Service, set[str]]:
    """The message types that each service has handled and sent for this saga, as the databases tell."""
    log = await system.database(ORCHESTRATOR).fetch("select kind, type from saga_events where saga_id = $1", saga_id)
    sent = {row["type"] for row in log if row["kind"] == "SENT"}
    found = {ORCHESTRATOR: {row["type"] for row in log}}
    for service in (PAYMENT, INVENTORY):
        replies = await system.database(service).fetch("select type from outbox where key = $1", saga_id)
        found[service] = {row["type"] for row in replies} | (sent & set(FROM_KAFKA[service]))
    created = {"CreateOrder"} & sent
    return found | {ORDER: created | ({"SetOrderStatus"} if sent & {"ConfirmOrder", "CancelOrder"} else set())}


async def assert_all_handled(system: System, saga_id: str) -> None:
    """Whether no command of this saga is under way any more, nor sent once more: the next play would meet it."""
    query = "select type, message_id from saga_events where saga_id = $1 and kind = 'SENT'"
    sent = await system.database(ORCHESTRATOR).fetch(query, saga_id)
    for service in (PAYMENT, INVENTORY):
        ids = {row["message_id"] for row in sent if row["type"] in FROM_KAFKA[service]}
        query = "select count(*) from inbox where message_id = any($1)"
        handled = await system.database(service).fetchval(query, list(ids))
        assert handled == len(ids), f"{service.name} has handled {handled} of {len(ids)} commands"
    for service in FROM_KAFKA:
        unsent = await system.database(service).fetchval("select count(*) from outbox where published_at is null")
        assert unsent == 0, f"{service.name} has {unsent} messages to send"
