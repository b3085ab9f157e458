"""The commands to run next, as they can be pasted into a shell."""

import re
from collections.abc import Iterator
from typing import Final

from ops.explain.facts import ORCHESTRATOR, Facts, Row
from ops.letters import Letter
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.instance import Direction

KAFKA_INIT: Final = "make up   # makes the missing topics; with Docker: docker compose up kafka-init"
STANDS: Final = re.compile(r"([\w.-]+/\d+) stands at offset \d+, which cannot be read(?:, readable again from (\d+))?")
"""As `chassis.unreadable` says it in /readyz."""
STATUS: Final = "make status   # with Docker: docker compose ps; `make up`, `docker compose up -d`: starts what is down"


def again(facts: Facts) -> str:
    """For what is under way."""
    return f"make explain ID='{facts.asked}'   # in a few seconds"


def logs(service: str) -> str:
    """Of a service, or of Kafka."""
    return f"make logs SERVICE={service.lower()}   # with Docker: docker compose logs {service.lower()}"


def restart(service: str) -> str:
    """Ends a process that stands still; supervisord or Docker starts it again."""
    return f".venv/bin/python -m local kill {service}   # it starts anew; with Docker: docker compose restart {service}"


def mend(service: str, why: str) -> str:
    """What helps a service that says this of itself."""
    if "missing topics" in why or "takes no copies" in why:
        return KAFKA_INIT
    if stands := STANDS.search(why):
        return f"""make dlq ARGS='pass {stands[1]}/{stands[2] or "OFFSET"} --by NAME --why "..."'   # gives that up"""
    return restart(service)


def show(letter: Letter) -> str:
    """All about a dead letter."""
    return f'make dlq ARGS="show {letter.place}"'


def redrive(letter: Letter) -> str:
    """Sends it once more."""
    return f"""make dlq ARGS='redrive {letter.place} --by NAME --why "..."'   # when the cause is mended"""


def drop(letter: Letter) -> str:
    """Gives it up."""
    return f"""make dlq ARGS='drop {letter.place} --by NAME --why "..."'"""


def operator(facts: Facts, saga: Row, action: str) -> str:
    """An operator's action; it needs the token that the orchestrator was started with."""
    url = f"{facts.orchestrator}/sagas/{saga['saga_id']}/{action}"
    headers = "-H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json'"
    return f"""curl -sS -X POST {url} {headers} -d '{{"reason":"..."}}'"""


def choices(facts: Facts) -> Iterator[str]:
    """What an operator may do instead of waiting, as `saga.decide` allows it."""
    saga = facts.saga
    if saga is None or not facts.running or ORCHESTRATOR in facts.unready:
        return
    yield f"{operator(facts, saga, 'retry')}   # sends it again now"
    if saga["direction"] == Direction.FORWARD and saga["place"] <= CHECKOUT.pivot:
        yield "the same with /cancel   # undoes the saga"
    if saga["needs_attention"]:
        yield "the same with /resolve   # ends it, as settled by hand"
