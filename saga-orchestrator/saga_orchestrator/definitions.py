"""A list of steps changes while sagas run: where each of them stands in today's list."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import structlog

from chassis.database import Pool
from chassis.errors import ChassisError
from chassis.faults import INFRASTRUCTURE_ERRORS
from chassis.settings import Settings
from chassis.trouble import Trouble
from saga_orchestrator import queries
from saga_orchestrator.definition import Saga
from saga_orchestrator.instance import Direction, SagaInstance

log = structlog.get_logger()

REREAD_SECONDS = 1
MISSING = "which the list of this version does not have, or not in its order"
Steps: TypeAlias = Sequence[Mapping[str, Any]]
"""A list as it is stored: `Step.described` of each step."""


class NotInTheList(ChassisError):
    """A saga stands at a step that the list of this version does not have; a version that has it goes on with it."""


class Definitions:
    """Today's list, and what is stored of the others: a saga that began under one of these goes on under today's."""

    def __init__(self, today: Saga, pool: Pool, settings: Settings) -> None:
        self.today = today
        self._pool = pool
        self._trouble = Trouble(pool, settings, "lists of steps")
        self._stored: Mapping[str, Steps] = {}
        self._unknown = asyncio.Event()

    async def start(self) -> None:
        """Store today's list and read the others; `NotInTheList` if sagas run that it cannot go on with: how many."""
        await queries.keep_definition(self._pool, self.today)
        self._stored = await queries.find_definitions(self._pool)
        lost = []
        for fingerprint, position, direction, count in await queries.count_standing(self._pool):
            steps = self._stored.get(fingerprint, ())
            if not 0 <= position < len(steps):
                log.error("a saga stands nowhere, its row is damaged", definition=fingerprint, position=position)
            elif place(self.today, steps, position, direction) is None:
                lost.append(f"{count} at {said(steps, position, direction)}")
        if lost:
            raise NotInTheList(
                f"sagas run where the list of this version has no such step: {', '.join(lost)}. Put the step back,"
                " those before it and their order, say in `formerly` what a renamed one was called, or let the version"
                " before bring them to their end"
            )

    async def run(self) -> None:
        """For ever: read the lists again when a saga has come whose list is not known, as a newer version's."""
        while True:
            await self._unknown.wait()
            try:
                self._stored = await queries.find_definitions(self._pool)
                self._unknown.clear()
                self._trouble.over()
            except INFRASTRUCTURE_ERRORS as error:
                await self._trouble.met(error)
            await asyncio.sleep(REREAD_SECONDS)

    def here(self, saga: SagaInstance) -> SagaInstance:
        """The saga with its position in today's list; `NotInTheList` if it has none there."""
        if saga.definition == self.today.fingerprint or saga.awaiting is None:
            return saga
        steps = self._stored.get(saga.definition, ())
        position = place(self.today, steps, saga.position, saga.direction)
        if position is None:
            if not steps:
                self._unknown.set()
            raise NotInTheList(f"it stands at {said(steps, saga.position, saga.direction)}, {MISSING}")
        return replace(saga, position=position, definition=self.today.fingerprint)


def place(today: Saga, steps: Steps, position: int, direction: Direction) -> int | None:
    """Where a saga that stands there in that list stands in today's.

    None if the same command is not sent there, if it may go back and an undo that it owes would not be sent, or if a
    step that it has yet to take is behind it now.
    """
    if not 0 <= position < len(steps):
        return None
    number = _found(today, steps[position], "do" if direction is Direction.FORWARD else "undo")
    if number is None:
        return None
    if direction is Direction.FORWARD:
        ahead = (_found(today, step, "do") for step in steps[position + 1 :])
        if any(later is not None and later < number for later in ahead):
            return None
        if number > today.pivot:
            return number
    behind = (_found(today, step, "undo") for step in steps[:position] if "undo" in step)
    return number if all(before is not None and before < number for before in behind) else None


def _found(today: Saga, stored: Mapping[str, Any], role: str) -> int | None:
    """Where today's list has this step, by name and with the same command in this role."""
    for number, step in enumerate(today.steps):
        if stored["name"] in (step.name, *step.formerly) and stored.get(role) == step.described().get(role):
            return number
    return None


def said(steps: Steps, position: int, direction: Direction) -> str:
    """A place in a stored list, for people: `confirm order (ConfirmOrder)`."""
    if not 0 <= position < len(steps):
        return f"step {position + 1} of an unknown list"
    step = steps[position]
    command = step.get("do" if direction is Direction.FORWARD else "undo")
    return f"{step['name']} ({command})"
