"""Which dead letters a command line means."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import structlog

from local.problem import Problem
from ops.letters import DeadLetters, Letter, Place

log = structlog.get_logger()


@dataclass(frozen=True)
class Wanted:
    """Which dead letters are meant: the one at a place, or all open ones of a topic, of a saga, of both."""

    place: Place | None
    topic: str | None
    saga: UUID | None

    def __contains__(self, letter: Letter) -> bool:
        return self.topic in (None, letter.topic) and self.saga in (None, letter.saga_id)


def want(place: str | None, every: bool, topic: str | None, saga: UUID | None) -> Wanted:
    """What the command line names; `Problem` if that is nothing, or too much."""
    if bool(place) == bool(every or topic or saga):
        raise Problem("Say which: either a PLACE, or --all, --topic and --saga.")
    return Wanted(Place.parse(place) if place else None, topic, saga)


async def chosen(letters: DeadLetters, wanted: Wanted) -> AsyncIterator[Letter]:
    """The open ones among those that are meant."""
    closed = await letters.closed()
    if wanted.place in closed:
        log.warning("nothing to do, it is closed", place=str(wanted.place), since=closed[wanted.place])
    elif wanted.place:
        yield await letters.at(wanted.place)
    else:
        async for letter in letters.all(but=closed):
            if letter in wanted:
                yield letter
