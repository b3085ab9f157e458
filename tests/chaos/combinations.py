"""Every crash point × every message type that it can meet × every scenario in which it can."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

import inventory_service.messages as inventory
import payment_service.messages as payment
import saga_orchestrator.messages as orchestrator
from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Service
from tests.chaos.scenarios import SCENARIOS, Met, Scenario

FROM_KAFKA: Mapping[Service, Collection[str]] = {
    ORDER: (),
    PAYMENT: [body.__name__ for body in payment.READS],
    INVENTORY: [body.__name__ for body in inventory.READS],
    ORCHESTRATOR: [body.__name__ for body in orchestrator.READS],
}
BY_HTTP = [body.__name__ for body in orchestrator.SENDS if body.destination == ORDER.name]


@dataclass(frozen=True)
class Combination:
    """A service dies at this point with this type of message at hand; `type` is a topic where messages are parked."""

    service: Service
    point: str
    type: str
    scenario: Scenario

    @property
    def lives(self) -> tuple[str, ...]:
        """What CRASH_AT is in each life: only a process that died with something unsent has something to sweep."""
        here = f"{self.point}@{self.type}" if self.type else self.point
        return (f"relay.before_send@{self.type}", here) if self.point == "relay.leased" else (here,)


def combinations(scenario: Scenario) -> list[Combination]:
    """All of one scenario."""
    return [
        Combination(service, point, type_, scenario)
        for service, met in scenario.met.items()
        for point, type_ in _reached(service, met)
    ]


def _reached(service: Service, met: Met) -> Iterator[tuple[str, str]]:
    for type_ in met.handles.split():
        yield "batch.before_commit", type_
        yield "batch.committed", type_
        if type_ in FROM_KAFKA[service]:
            yield "consumer.before_offset_commit", type_
        if type_ == "StartCheckout":
            yield "checkout.accepted", ""
    for type_ in met.sends.split():
        yield "relay.before_send", type_
        yield "relay.acknowledged", type_
        yield "relay.leased", type_
        if type_ in BY_HTTP:
            yield "order_call.answered", type_
    for topic in met.parks.split():
        yield "retry.parked", topic


def everywhere() -> list[Combination]:
    """All of all scenarios."""
    return [combination for scenario in SCENARIOS for combination in combinations(scenario)]


def once() -> list[Combination]:
    """Every point × type of every service in the first scenario that reaches it."""
    first: dict[tuple[Service, str, str], Combination] = {}
    for combination in everywhere():
        first.setdefault((combination.service, combination.point, combination.type), combination)
    return list(first.values())


def rounds(wanted: Collection[Combination]) -> list[list[Combination]]:
    """One saga a round, and at most one crash a service in it."""
    by_service: dict[Service, list[Combination]] = {}
    for combination in wanted:
        by_service.setdefault(combination.service, []).append(combination)
    return [[c for c in some if c] for some in zip_longest(*by_service.values())]
