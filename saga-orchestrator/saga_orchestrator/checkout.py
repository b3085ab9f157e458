"""The whole business process. Up to the pivot a step can be undone; after it the saga only goes forward."""

from saga_orchestrator.definition import Saga, Step
from saga_orchestrator.messages import (
    CancelOrder,
    ChargePayment,
    ConfirmOrder,
    CreateOrder,
    InventoryFailed,
    InventoryReleased,
    InventoryReserved,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderRejected,
    PaymentCharged,
    PaymentFailed,
    PaymentRefunded,
    RefundPayment,
    ReleaseInventory,
    ReserveInventory,
)

# fmt: off
CHECKOUT = Saga(
    "checkout",
    Step("create order",      do=CreateOrder,      yes=OrderCreated,      no=OrderRejected,   undo=CancelOrder,      undone=OrderCancelled),
    Step("charge payment",    do=ChargePayment,    yes=PaymentCharged,    no=PaymentFailed,   undo=RefundPayment,    undone=PaymentRefunded),
    Step("reserve inventory", do=ReserveInventory, yes=InventoryReserved, no=InventoryFailed, undo=ReleaseInventory, undone=InventoryReleased, pivot=True),
    Step("confirm order",     do=ConfirmOrder,     yes=OrderConfirmed),
)
# fmt: on
