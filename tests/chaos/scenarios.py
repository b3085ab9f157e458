"""The scenarios of the sweep: what a customer and the world do, and which messages each service then meets."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Service
from tests.chaos.system import ALL_WELL, System
from tests.support.eventually import eventually
from tests.support.wire import CHARGE, CHARGED, RESERVE

Play: TypeAlias = Callable[[System], Awaitable[str]]
"""Brings a saga to its end, and returns its id."""


@dataclass(frozen=True)
class Met:
    """The message types that one service handles and sends in a scenario; where it parks what it cannot handle."""

    handles: str = ""
    sends: str = ""
    parks: str = ""


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


def asking(**flags: bool) -> Play:
    """Nothing but a customer."""

    async def play(system: System) -> str:
        return await system.checkout(flags)

    return play


def silent(service: Service, *steps: str, act: str = "") -> Play:
    """A service stands still until the saga's step is one of these; then, if so asked, an operator acts."""

    async def play(system: System) -> str:
        async with system[service].frozen():
            saga_id = await system.checkout()
            await system.reaches(saga_id, step=steps)
            if act:
                await system.operate(saga_id, act)
        return saga_id

    return play


async def resolved(system: System) -> str:
    """Nobody answers the compensation either, until an operator ends the saga."""
    async with system[PAYMENT].frozen():
        saga_id = await system.checkout()

        async def flagged() -> None:
            assert (await system.saga(saga_id))["needs_attention"]

        await eventually(flagged, within=60)
        await system.operate(saga_id, "resolve")
    return saga_id


async def order_refused(system: System) -> str:
    """A cancelled order stands where the saga's own would be created."""
    await system[ORDER].end()
    saga_id = await system.checkout()
    order_id = (await system.saga(saga_id))["order_id"]
    await system.databases.order.execute(
        "insert into orders (order_id, user_id, total_amount, status) values ($1, 'chaos', 19.99, 'CANCELLED')",
        order_id,
    )
    system[ORDER].start()
    return saga_id


def failing(service: Service, table: str, condition: str) -> Play:
    """The service cannot write a row, as if a release had broken its table, until the message is parked."""
    function = "create or replace function refuse() returns trigger language plpgsql as 'begin raise ''broken''; end'"
    break_it = f"create trigger broken before insert or update on {table} for each row {condition}"
    mend_it = f"drop trigger if exists broken on {table}"

    async def play(system: System) -> str:
        deaths = system[service].deaths
        database = system.database(service)
        await database.execute(function)
        await database.execute(f"{break_it} execute function refuse()")
        try:
            saga_id = await system.checkout()
            await eventually(lambda: system[service].has_died(deaths + 1))
        finally:
            await database.execute(mend_it)
        return saga_id

    return play


def poisoned(topic: str) -> Play:
    """Bytes that are no message, beside a good checkout."""

    async def play(system: System) -> str:
        await system.wire.send_raw(topic, b"\xff poison")
        return await system.checkout()

    return play


SUCCESS = Scenario(
    "success",
    asking(**ALL_WELL),
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment", "PaymentCharged"),
        INVENTORY: Met("ReserveInventory", "InventoryReserved"),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated PaymentCharged InventoryReserved OrderConfirmed",
            "CreateOrder ChargePayment ReserveInventory ConfirmOrder",
        ),
    },
    ends=["ORDER_CONFIRMED"],
)
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
        INVENTORY: Met("ReserveInventory ReleaseInventory", "InventoryReleased"),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated PaymentCharged Cancel InventoryReleased PaymentRefunded OrderCancelled",
            "CreateOrder ChargePayment ReserveInventory ReleaseInventory RefundPayment CancelOrder",
        ),
    },
    ends=["CANCELLED"],
)
HURRIED = Scenario(
    "retried by hand",
    silent(PAYMENT, "ORDER_CREATED", act="retry"),
    {ORCHESTRATOR: Met("Retry", "ChargePayment"), PAYMENT: Met("ChargePayment", "PaymentCharged")},
    ends=["ORDER_CONFIRMED"],
)
ORDER_REFUSED = Scenario(
    "order refused",
    order_refused,
    {ORCHESTRATOR: Met("StartCheckout OrderRejected", "CreateOrder")},
    ends=["ORDER_REJECTED"],
)
IMPATIENT = {"STEP_TIMEOUT_SCALE": "0.02"}
PAYMENT_TIMEOUT = Scenario(
    "payment timeout",
    silent(PAYMENT, "PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"),
    {
        ORDER: Met("CreateOrder SetOrderStatus"),
        PAYMENT: Met("ChargePayment RefundPayment", "PaymentRefunded"),
        ORCHESTRATOR: Met(
            "StartCheckout OrderCreated TimedOut PaymentCharged PaymentRefunded OrderCancelled",
            "CreateOrder ChargePayment RefundPayment CancelOrder",
        ),
    },
    ends=["PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"],
    settings=IMPATIENT,
)
STOCK_TIMEOUT = Scenario(
    "stock timeout",
    silent(INVENTORY, "INVENTORY_TIMED_OUT", "PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"),
    {
        PAYMENT: Met("ChargePayment RefundPayment", "PaymentCharged PaymentRefunded"),
        INVENTORY: Met("ReserveInventory ReleaseInventory", "InventoryReleased"),
        ORCHESTRATOR: Met(
            "TimedOut InventoryReserved InventoryReleased PaymentRefunded OrderCancelled",
            "ReserveInventory ReleaseInventory RefundPayment CancelOrder",
        ),
    },
    ends=["INVENTORY_TIMED_OUT", "PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"],
    settings=IMPATIENT,
)
RESOLVED = Scenario(
    "resolved by hand",
    resolved,
    {ORCHESTRATOR: Met("Resolve")},
    ends=["PAYMENT_TIMED_OUT", "ORDER_TIMED_OUT"],
    settings={"STEP_TIMEOUT_SCALE": "0.01"},
    by_hand=True,
)
RETRIES = tuple(
    Scenario(
        f"retry in {service.name}", failing(service, *where), {service: Met(parks=f"{service.name}.retry.5s")}, ends
    )
    for service, where, ends in (
        (PAYMENT, ("payments", ""), ["ORDER_CONFIRMED"]),
        (INVENTORY, ("reservations", ""), ["ORDER_CONFIRMED"]),
        (ORCHESTRATOR, ("sagas", "when (new.position = 2)"), ["ORDER_CONFIRMED"]),
    )
)
POISON = tuple(
    Scenario(f"poison for {service.name}", poisoned(topic), {service: Met(parks=f"{service.name}.dlq")}, ends)
    for service, topic, ends in (
        (PAYMENT, CHARGE, ["ORDER_CONFIRMED"]),
        (INVENTORY, RESERVE, ["ORDER_CONFIRMED"]),
        (ORCHESTRATOR, CHARGED, ["ORDER_CONFIRMED"]),
    )
)
SCENARIOS = (
    *(SUCCESS, PAYMENT_REFUSED, STOCK_REFUSED, CANCELLED, HURRIED, ORDER_REFUSED, *RETRIES, *POISON),
    *(PAYMENT_TIMEOUT, STOCK_TIMEOUT, RESOLVED),
)
