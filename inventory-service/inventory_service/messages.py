"""What the inventory service reads from Kafka and writes to it."""

from typing import ClassVar, Final
from uuid import UUID

from chassis.messages import Command, Event


class ReserveInventory(Command):
    """Set stock aside. `force_fail`: true fails always, false never, absent at random."""

    destination: ClassVar[str] = "inventory.reserve.command"
    order_id: UUID
    force_fail: bool | None = None


class ReleaseInventory(Command):
    """Put the stock back, or see to it that it is never set aside."""

    destination: ClassVar[str] = "inventory.release.command"
    order_id: UUID


class InventoryReserved(Event):
    """The stock is set aside."""

    destination: ClassVar[str] = "inventory.reserved"
    order_id: UUID


class InventoryFailed(Event):
    """The stock is not set aside, and will not be."""

    destination: ClassVar[str] = "inventory.failed"
    order_id: UUID
    reason: str | None = None


class InventoryReleased(Event):
    """Nothing is reserved any more."""

    destination: ClassVar[str] = "inventory.released"
    order_id: UUID


READS: Final = (ReserveInventory, ReleaseInventory)
SENDS: Final = (InventoryReserved, InventoryFailed, InventoryReleased)
