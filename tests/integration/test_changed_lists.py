"""The list of steps changes while sagas run: none is sent a wrong command, and none is left behind unseen."""

import pytest

from chassis.batcher import Batcher
from chassis.database import Pool
from chassis.loops import background
from chassis.messages import Event, Message
from chassis.settings import Settings
from saga_orchestrator import dashboard, queries
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga
from saga_orchestrator.definitions import Definitions, NotInTheList
from saga_orchestrator.handlers import Checkout, Checkouts
from saga_orchestrator.instance import SagaInstance
from saga_orchestrator.messages import (
    SENDS,
    InventoryReserved,
    OrderConfirmed,
    OrderCreated,
    PaymentCharged,
    StartCheckout,
)
from tests.integration.checkouts import AMOUNT, a_start, stored
from tests.support.eventually import eventually
from tests.support.shipping import WITH_SHIPPING, WITHOUT_CONFIRMATION, BookShipping, CancelShipping, ShippingBooked

ALL_SENDS = (*SENDS, BookShipping, CancelShipping)


class Version:
    """An orchestrator with this list, as far as it decides."""

    def __init__(self, definition: Saga, pool: Pool, settings: Settings) -> None:
        self.definitions = Definitions(definition, pool, settings)
        self._batcher: Batcher[Checkout] = Batcher(pool, Checkouts(self.definitions), settings, ALL_SENDS)

    async def told(self, *bodies: StartCheckout | Event) -> SagaInstance:
        async with background(batcher=self._batcher.run):
            for body in bodies:
                handled = await self._batcher.submit(Message.new(body))
        assert handled.row is not None
        return handled.row.saga


def answers(start: StartCheckout) -> list[Event]:
    """All say yes."""
    ids = {"saga_id": start.saga_id, "order_id": start.order_id}
    saga = {"saga_id": start.saga_id}
    return [
        OrderCreated(**saga),
        PaymentCharged(**ids, amount=AMOUNT),
        InventoryReserved(**ids),
        OrderConfirmed(**saga),
    ]


async def test_a_saga_behind_an_inserted_step_goes_on_without_it_and_one_before_it_takes_it(
    sagas: Pool, settings: Settings
) -> None:
    behind, before = a_start(), a_start()
    old, new = Version(CHECKOUT, sagas, settings), Version(WITH_SHIPPING, sagas, settings)
    await old.definitions.start()
    await old.told(behind, *answers(behind)[:3])
    await old.told(before, *answers(before)[:2])
    await new.definitions.start()
    assert (await new.told(answers(behind)[3])).status == "COMPLETED"
    await new.told(answers(before)[2])
    saga = await new.told(ShippingBooked(saga_id=before.saga_id))
    assert (saga.status, saga.step) == ("RUNNING", "SHIPPING_BOOKED")
    assert (await new.told(answers(before)[3])).status == "COMPLETED"
    sent = await sagas.fetch("select key, type from outbox where type in ('BookShipping', 'ConfirmOrder')")
    assert sorted(map(tuple, sent)) == sorted(
        [(behind.saga_id, "ConfirmOrder"), (before.saga_id, "BookShipping"), (before.saga_id, "ConfirmOrder")]
    )


async def test_a_list_without_a_step_at_which_sagas_stand_does_not_start_and_says_how_many(
    sagas: Pool, settings: Settings
) -> None:
    old = Version(CHECKOUT, sagas, settings)
    shorter = Version(WITHOUT_CONFIRMATION, sagas, settings)
    await shorter.definitions.start()  # nothing runs yet
    for start in (a_start(), a_start()):
        await old.told(start, *answers(start)[:3])
    with pytest.raises(NotInTheList, match=r"no such step: 2 at confirm order \(ConfirmOrder\)\."):
        await shorter.definitions.start()


async def test_a_saga_that_another_version_has_to_go_on_with_is_marked_and_left_as_it_is(
    sagas: Pool, settings: Settings
) -> None:
    shorter, old = Version(WITHOUT_CONFIRMATION, sagas, settings), Version(CHECKOUT, sagas, settings)
    await shorter.definitions.start()
    start, other = a_start(), a_start()
    saga = await old.told(start, *answers(start)[:3])
    with pytest.raises(NotInTheList):
        await shorter.told(answers(start)[3])
    waits = dashboard.waits(shorter.definitions, saga)
    assert waits is not None
    assert "confirm order (ConfirmOrder), which the list of this version does not have" in waits.step
    assert (await shorter.told(other, *answers(other)[:3])).status == "COMPLETED"
    assert (await stored(sagas, start)).awaiting == saga.awaiting
    assert (await old.told(answers(start)[3])).status == "COMPLETED"


async def test_an_older_version_reads_the_list_of_a_newer_one_and_goes_on_with_its_sagas(
    sagas: Pool, settings: Settings
) -> None:
    old, new = Version(CHECKOUT, sagas, settings), Version(WITH_SHIPPING, sagas, settings)
    await old.definitions.start()
    await new.definitions.start()
    start = a_start()
    await new.told(start, *answers(start)[:2])

    async def goes_on() -> None:
        try:
            assert (await old.told(answers(start)[2])).step == "INVENTORY_RESERVED"
        except NotInTheList as error:
            raise AssertionError from error

    async with background(definitions=old.definitions.run):
        await eventually(goes_on)
    assert await queries.count_standing(sagas) == [(CHECKOUT.fingerprint, 3, "FORWARD", 1)]


async def test_a_row_that_stands_nowhere_keeps_nobody_from_starting(sagas: Pool, settings: Settings) -> None:
    version = Version(CHECKOUT, sagas, settings)
    for start, damage in ((a_start(), "position = 9"), (a_start(), "definition = 'nobody''s'")):
        await version.told(start)
        await sagas.execute(f"update sagas set {damage} where saga_id = $1", start.saga_id)
    await version.definitions.start()
