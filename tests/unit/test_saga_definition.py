"""A list of steps that cannot always end is refused when it is made, and the message names the step."""

from dataclasses import replace
from typing import Any

import pytest

from chassis.messages import SUBMITTER
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import DefinitionError, Saga, Step
from saga_orchestrator.messages import OrderRejected, ReleaseInventory, ReserveInventory

CREATE, CHARGE, *_, CONFIRM = CHECKOUT.steps
(PIVOT,) = (step for step in CHECKOUT.steps if step.pivot)


class Lost(ReserveInventory):
    destination = SUBMITTER


class LostRelease(ReleaseInventory):
    destination = SUBMITTER


def changed(wrong: Step, **changes: Any) -> tuple[Step, ...]:
    return tuple(replace(step, **changes) if step is wrong else step for step in CHECKOUT.steps)


@pytest.mark.parametrize(
    ("step", "changes", "fault"),
    [
        (CHARGE, {"undo": None, "undone": None}, "needs an undo"),
        (CHARGE, {"undone": None}, "an undo needs its undone"),
        (CHARGE, {"undo": None}, "needs an undo"),
        (CONFIRM, {"undo": CREATE.undo, "undone": CREATE.undone}, "cannot have an undo"),
        (CONFIRM, {"no": OrderRejected}, "cannot say no"),
        (CREATE, {"tries": 0}, "at least one try"),
        (CREATE, {"timeout_seconds": 30.0, "tries": 100}, "longer than the saga may"),
        (PIVOT, {"do": Lost}, "Lost has no topic or endpoint"),
        (PIVOT, {"undo": LostRelease}, "LostRelease has no topic or endpoint"),
    ],
)
def test_a_fault_is_refused_with_the_name_of_its_step(step: Step, changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(DefinitionError, match=f"{step.name}.*{fault}"):
        Saga("checkout", *changed(step, **changes))


def test_a_saga_without_a_pivot_is_refused() -> None:
    with pytest.raises(DefinitionError, match="exactly one pivot, it has 0"):
        Saga("checkout", *changed(PIVOT, pivot=False))


def test_a_saga_with_two_pivots_is_refused() -> None:
    with pytest.raises(DefinitionError, match="exactly one pivot, it has 2"):
        Saga("checkout", *changed(CHARGE, pivot=True))


def test_the_steps_of_the_checkout_themselves_are_accepted() -> None:
    saga = Saga("checkout", *CHECKOUT.steps)
    assert saga.steps[saga.pivot] is PIVOT
