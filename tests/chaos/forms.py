"""How much chaos: CHAOS is short in `make test`, whole in `make chaos`, long in `make chaos LONG=1`.

| form  | takes  | the sweep                        | the soak                            | the rest            |
|-------|--------|----------------------------------|-------------------------------------|---------------------|
| short | 7 min  | each crash point × message once  | each kind of fault once, briefly    | smaller, as below   |
| whole | 20 min | the same × every scenario        | the same                            | in full             |
| long  | 40 min | as whole                         | 20 minutes of faults at random      | as whole            |

CHAOS_SEED repeats the dice of a run; CHAOS_SECONDS is another length for the long soak.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from local.instance import ORCHESTRATOR, SERVICES, Service
from tests.chaos.proxy import Way


class Form(StrEnum):
    """What CHAOS may be."""

    SHORT = "short"
    WHOLE = "whole"
    LONG = "long"


@dataclass(frozen=True)
class Extent:
    """What the forms differ in. Of services and databases that do the same, a short run takes the busiest."""

    killed_under_load: Collection[Service] = SERVICES
    ways: Collection[Way] = tuple(way for way in Way if way is not Way.OPEN)
    kafka_away_seconds: float = 60
    poison: int = 10_000
    in_flight: int = 1_000
    sweeps_every_scenario: bool = True
    soak_seconds: float | None = None
    """None: each kind of fault once."""


FORM = Form(os.environ.get("CHAOS", Form.SHORT))
EXTENT = {
    Form.SHORT: Extent(
        killed_under_load=(ORCHESTRATOR,),
        ways=(Way.RESET,),
        kafka_away_seconds=3,
        poison=1_000,
        in_flight=300,
        sweeps_every_scenario=False,
    ),
    Form.WHOLE: Extent(),
    Form.LONG: Extent(soak_seconds=float(os.environ.get("CHAOS_SECONDS", 20 * 60))),
}[FORM]
