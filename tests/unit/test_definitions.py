"""Where a saga of one list stands in another."""

from importlib.resources import files

import pytest

from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga
from saga_orchestrator.definitions import Steps, place, said
from saga_orchestrator.instance import Direction
from tests.support.shipping import (
    CHARGE,
    CONFIRM,
    CREATE,
    RENAMED,
    RESERVE,
    WITH_SHIPPING,
    WITHOUT_CONFIRMATION,
    changed,
)

FORWARD, BACKWARD = Direction


def stored(definition: Saga) -> Steps:
    return [step.described() for step in definition.steps]


@pytest.mark.parametrize("definition", [WITH_SHIPPING, RENAMED])
def test_a_step_keeps_its_saga_wherever_the_list_has_it_now(definition: Saga) -> None:
    found = [place(definition, stored(CHECKOUT), position, FORWARD) for position in range(4)]
    assert [definition.steps[position or 0].do for position in found] == [step.do for step in CHECKOUT.steps]
    back = [place(definition, stored(CHECKOUT), position, BACKWARD) for position in range(3)]
    assert back == found[:3]


def test_a_step_that_is_gone_or_sends_another_command_has_no_place() -> None:
    assert place(WITHOUT_CONFIRMATION, stored(CHECKOUT), 3, FORWARD) is None
    other = Saga("checkout", CREATE, changed(CHARGE, do=RESERVE.do), RESERVE)
    assert place(other, stored(CHECKOUT), 1, FORWARD) is None
    assert place(other, stored(CHECKOUT), 1, BACKWARD) == 1
    assert place(CHECKOUT, (), 1, FORWARD) is None


def test_going_back_through_a_step_that_can_not_be_undone_any_more_has_no_place() -> None:
    first_is_pivot = Saga("checkout", changed(CREATE, pivot=True, undo=None, undone=None))
    assert place(first_is_pivot, stored(CHECKOUT), 0, BACKWARD) is None
    assert place(first_is_pivot, stored(CHECKOUT), 0, FORWARD) == 0


def test_no_undo_that_a_saga_may_still_owe_is_forgotten() -> None:
    without_charge = Saga("checkout", CREATE, RESERVE, CONFIRM)
    swapped = Saga("checkout", CREATE, changed(RESERVE, pivot=False), changed(CHARGE, pivot=True), CONFIRM)
    for today in (without_charge, swapped):
        assert place(today, stored(CHECKOUT), 2, FORWARD) is None
        assert place(today, stored(CHECKOUT), 2, BACKWARD) is None
        assert place(today, stored(CHECKOUT), 0, BACKWARD) == 0
        assert place(today, stored(CHECKOUT), 3, FORWARD) == len(today.steps) - 1
    assert place(CHECKOUT, stored(WITH_SHIPPING), 4, FORWARD) == 3


def test_no_step_that_a_saga_has_yet_to_take_is_passed_over() -> None:
    swapped = Saga("checkout", CREATE, changed(RESERVE, pivot=False), changed(CHARGE, pivot=True), CONFIRM)
    assert place(swapped, stored(CHECKOUT), 0, FORWARD) == 0
    assert place(swapped, stored(CHECKOUT), 1, FORWARD) is None
    assert place(swapped, stored(CHECKOUT), 1, BACKWARD) == 2


def test_a_place_is_said_as_people_know_it() -> None:
    assert said(stored(CHECKOUT), 3, FORWARD) == "confirm order (ConfirmOrder)"
    assert said(stored(CHECKOUT), 1, BACKWARD) == "charge payment (RefundPayment)"
    assert said((), 1, BACKWARD) == "step 2 of an unknown list"


def test_lists_are_told_apart_by_what_decides_a_sagas_way_and_by_nothing_else() -> None:
    assert len({each.fingerprint for each in (CHECKOUT, WITH_SHIPPING, WITHOUT_CONFIRMATION, RENAMED)}) == 4
    assert CHECKOUT.scaled(0.1).fingerprint == CHECKOUT.fingerprint


def test_the_list_before_lists_were_stored_is_the_one_that_the_migration_names() -> None:
    sql = (files("saga_orchestrator") / "migrations" / "0003_definitions.sql").read_text()
    first = Saga("checkout", *CHECKOUT.steps[:4])  # a step that is added later is not part of it
    assert sql.count(f"'{first.fingerprint}'") == 2
