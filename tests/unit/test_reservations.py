"""Every command on every reservation: what becomes of it, and what is answered."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from inventory_service.messages import InventoryFailed, ReleaseInventory, ReserveInventory
from inventory_service.reservations import Command, ForeignOrder, Reservation, Status, decide

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ORDER, SAGA, STRANGER = UUID(int=1), UUID(int=2), UUID(int=3)
IDS = {"order_id": ORDER, "saga_id": SAGA}
RESERVE = ReserveInventory(**IDS)
RELEASE = ReleaseInventory(**IDS)

RESERVED = Reservation(ORDER, SAGA, Status.RESERVED, NOW)
RELEASED = replace(RESERVED, status=Status.RELEASED)
FAILED = replace(RESERVED, status=Status.FAILED, reason="OUT_OF_STOCK")
VOIDED = replace(RESERVED, status=Status.VOIDED, reason="released before it was reserved")


@pytest.mark.parametrize(
    ("reservation", "command", "after", "answer", "reason"),
    [
        (None, RESERVE, RESERVED, "InventoryReserved", None),
        (RESERVED, RESERVE, RESERVED, "InventoryReserved", None),
        (FAILED, RESERVE, FAILED, "InventoryFailed", "OUT_OF_STOCK"),
        (RELEASED, RESERVE, RELEASED, "InventoryFailed", "RELEASED"),
        (VOIDED, RESERVE, VOIDED, "InventoryFailed", "VOIDED"),
        (None, RELEASE, VOIDED, "InventoryReleased", None),
        (RESERVED, RELEASE, RELEASED, "InventoryReleased", None),
        (FAILED, RELEASE, FAILED, "InventoryReleased", None),
        (RELEASED, RELEASE, RELEASED, "InventoryReleased", None),
        (VOIDED, RELEASE, VOIDED, "InventoryReleased", None),
    ],
)
def test_a_command_does_this_to_a_reservation_and_doing_it_again_does_nothing(
    reservation: Reservation | None, command: Command, after: Reservation, answer: str, reason: str | None
) -> None:
    found, reply = decide(reservation, command, NOW, unlucky=False)
    assert (found, type(reply).__name__, getattr(reply, "reason", None)) == (after, answer, reason)
    assert decide(found, command, NOW, unlucky=True)[0] == found


@pytest.mark.parametrize("reservation", [RESERVED, FAILED, VOIDED])
def test_a_repeated_command_gets_the_same_answer_whatever_the_dice_say(reservation: Reservation) -> None:
    answers = {decide(reservation, RESERVE, NOW, unlucky=unlucky)[1].to_json() for unlucky in (True, False)}
    assert len(answers) == 1


@pytest.mark.parametrize("unlucky", [True, False])
@pytest.mark.parametrize("force", [True, False, None])
def test_a_force_flag_beats_the_dice_and_without_one_they_decide(force: bool | None, unlucky: bool) -> None:
    reservation, _ = decide(None, RESERVE.model_copy(update={"force_fail": force}), NOW, unlucky=unlucky)
    fails = unlucky if force is None else force
    assert reservation.status is (Status.FAILED if fails else Status.RESERVED)


@pytest.mark.parametrize("reservation", [RESERVED, FAILED, RELEASED, VOIDED])
def test_a_saga_cannot_reserve_for_the_order_of_another(reservation: Reservation) -> None:
    foreign = ReserveInventory(order_id=ORDER, saga_id=STRANGER)
    after, reply = decide(reservation, foreign, NOW, unlucky=False)
    assert after == reservation
    assert reply == InventoryFailed(saga_id=STRANGER, order_id=ORDER, reason="ORDER_BELONGS_TO_ANOTHER_SAGA")


@pytest.mark.parametrize("reservation", [RESERVED, FAILED, RELEASED, VOIDED])
def test_a_saga_cannot_release_what_another_reserved(reservation: Reservation) -> None:
    with pytest.raises(ForeignOrder, match=str(SAGA)):
        decide(reservation, ReleaseInventory(order_id=ORDER, saga_id=STRANGER), NOW, unlucky=False)
