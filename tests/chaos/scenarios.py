"""The scenarios of the sweep: what is done, and which messages each service then meets."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Service
from tests.chaos.plays import Play, asking, failing, order_refused, poisoned, resolved, silent
from tests.chaos.system import ALL_WELL


@dataclass(frozen=True)
class Met:
    """The message types that one service handles and sends in a scenario, in their order.

    It parks what it cannot handle on the topics `parks`, before it handles the message with this number. Of the types
    `may` it meets some, as a race ends; they are not swept over.
    """

    handles: str = ""
    sends: str = ""
    parks: str = ""
    parks_before: int = 0
    may: str = ""


@dataclass(frozen=True, eq=False)
class Scenario:
    """`ends`: the saga's possible last steps. By hand: its rows are the operator's business."""

    name: str
    play: Play
    met: Mapping[Service, Met]
    ends: Collection[str]
    settings: Mapping[str, str] = field(default_factory=dict)
    by_hand: bool = False

    def __str__(self) -> str:
        return self.name


ALL = "StartCheckout OrderCreated PaymentCharged InventoryReserved OrderConfirmed"
COMMANDS = "CreateOrder ChargePayment ReserveInventory ConfirmOrder"
GOOD = {
    ORDER: Met("CreateOrder SetOrderStatus"),
    PAYMENT: Met("ChargePayment", "PaymentCharged"),
    INVENTORY: Met("ReserveInventory", "InventoryReserved"),
    ORCHESTRATOR: Met(ALL, COMMANDS),
}
"""What a checkout meets that ends well."""

EITHER_PAYMENT = "PaymentCharged PaymentFailed"
EITHER_STOCK = "InventoryReserved InventoryFailed"
"""What a service that was silent says too late: it depends on whether it reads the command or its undo first."""

SUCCESS = Scenario("success", asking(**ALL_WELL), GOOD, ends=["ORDER_CONFIRMED"])
PAYMENT_REFUSED = Scenario(
    "payment refused",
    asking(forcePaymentFail=True),
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment", "PaymentFailed"),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated PaymentFailed OrderCancelled", "CreateOrder ChargePayment CancelOrder"
        ),
    },
    ends=["PAYMENT_FAILED"],
)
STOCK_REFUSED = Scenario(
    "stock refused",
    asking(forcePaymentFail=False, forceInventoryFail=True),
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment RefundPayment", "PaymentCharged PaymentRefunded"),
        INVENTORY: Met("ReserveInventory", "InventoryFailed"),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated PaymentCharged InventoryFailed PaymentRefunded OrderCancelled",
            "CreateOrder ChargePayment ReserveInventory RefundPayment CancelOrder",
        ),
    },
    ends=["INVENTORY_FAILED"],
)
CANCELLED = Scenario(
    "cancelled",
    silent(INVENTORY, "PAYMENT_CHARGED", act="cancel"),
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment RefundPayment", "PaymentCharged PaymentRefunded"),
        INVENTORY: Met("ReserveInventory ReleaseInventory", "InventoryReleased", may=EITHER_STOCK),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated PaymentCharged Cancel InventoryReleased PaymentRefunded OrderCancelled",
            "CreateOrder ChargePayment ReserveInventory ReleaseInventory RefundPayment CancelOrder",
            may=EITHER_STOCK,
        ),
    },
    ends=["CANCELLED"],
)
HURRIED = Scenario(
    "retried by hand",
    silent(PAYMENT, "ORDER_CREATED", act="retry"),
    GOOD
    | {
        ORCHESTRATOR: Met("StartCheckout OrderCreated Retry PaymentCharged InventoryReserved OrderConfirmed", COMMANDS),
    },
    ends=["ORDER_CONFIRMED"],
)
ORDER_REFUSED = Scenario(
    "order refused",
    order_refused,
    {ORDER: Met("CreateOrder"), ORCHESTRATOR: Met("StartCheckout OrderRejected", "CreateOrder")},
    ends=["ORDER_REJECTED"],
)
IMPATIENT = {"STEP_TIMEOUT_SCALE": "0.02"}
PAYMENT_TIMEOUT = Scenario(
    "payment timeout",
    silent(PAYMENT, "PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"),
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment RefundPayment", "PaymentRefunded", may=EITHER_PAYMENT),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated TimedOut PaymentRefunded OrderCancelled",
            "CreateOrder ChargePayment RefundPayment CancelOrder",
            may=EITHER_PAYMENT,
        ),
    },
    ends=["PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"],
    settings=IMPATIENT,
)
STOCK_TIMEOUT = Scenario(
    "stock timeout",
    silent(INVENTORY, "INVENTORY_TIMED_OUT", "PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"),
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment RefundPayment", "PaymentCharged PaymentRefunded"),
        INVENTORY: Met("ReserveInventory ReleaseInventory", "InventoryReleased", may=EITHER_STOCK),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated PaymentCharged TimedOut InventoryReleased PaymentRefunded OrderCancelled",
            "CreateOrder ChargePayment ReserveInventory ReleaseInventory RefundPayment CancelOrder",
            may=EITHER_STOCK,
        ),
    },
    ends=["INVENTORY_TIMED_OUT", "PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"],
    settings=IMPATIENT,
)
RESOLVED = Scenario(
    "resolved by hand",
    resolved,
    {
        ORDER: Met("CreateOrder"),
        PAYMENT: Met("ChargePayment RefundPayment", "PaymentRefunded", may=EITHER_PAYMENT),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated TimedOut Resolve PaymentRefunded",
            "CreateOrder ChargePayment RefundPayment",
            may=EITHER_PAYMENT,
        ),
    },
    ends=["PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"],
    settings={"STEP_TIMEOUT_SCALE": "0.01"},
    by_hand=True,
)
RETRIES = Scenario(
    "retry topics",
    failing,
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment", "PaymentCharged", parks="payment-service.retry.5s"),
        INVENTORY: Met("ReserveInventory", "InventoryReserved", parks="inventory-service.retry.5s"),
        ORCHESTRATOR: Met(ALL, COMMANDS, parks="saga-orchestrator.retry.5s", parks_before=2),
    },
    ends=["ORDER_CONFIRMED"],
)
POISON = Scenario(
    "dead letters",
    poisoned,
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment", "PaymentCharged", parks="payment-service.dlq"),
        INVENTORY: Met("ReserveInventory", "InventoryReserved", parks="inventory-service.dlq"),
        ORCHESTRATOR: Met(ALL, COMMANDS, parks="saga-orchestrator.dlq"),
    },
    ends=["ORDER_CONFIRMED"],
)
SCENARIOS = (
    *(SUCCESS, PAYMENT_REFUSED, STOCK_REFUSED, CANCELLED, HURRIED, ORDER_REFUSED, RETRIES, POISON),
    *(PAYMENT_TIMEOUT, STOCK_TIMEOUT, RESOLVED),
)
