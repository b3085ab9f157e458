"""The three outcomes of a checkout, command by command."""

from saga_orchestrator.messages import (
    CancelOrder,
    ChargePayment,
    ConfirmOrder,
    CreateOrder,
    InventoryFailed,
    InventoryReserved,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderRejected,
    PaymentCharged,
    PaymentFailed,
    PaymentRefunded,
    RefundPayment,
    ReserveInventory,
)
from tests.unit.runs import AMOUNT, ORDER
from tests.unit.scenario import given


def test_a_checkout_that_everybody_agrees_to_is_completed() -> None:
    (
        given()
        .expect().command(CreateOrder, order_id=ORDER, user_id="alice", total_amount=AMOUNT)
        .on(OrderCreated)
        .expect().command(ChargePayment, order_id=ORDER, amount=AMOUNT)
        .on(PaymentCharged)
        .expect().command(ReserveInventory, order_id=ORDER)
        .on(InventoryReserved)
        .expect().command(ConfirmOrder, order_id=ORDER, status="CONFIRMED")
        .on(OrderConfirmed)
        .ended("COMPLETED", "ORDER_CONFIRMED")
    )  # fmt: skip


def test_a_refused_payment_cancels_the_order_and_asks_nobody_for_stock() -> None:
    (
        given()
        .on(OrderCreated)
        .expect().command(ChargePayment)
        .on(PaymentFailed)
        .expect().command(CancelOrder, order_id=ORDER, status="CANCELLED", user_id="alice", total_amount=AMOUNT)
        .on(OrderCancelled)
        .ended("FAILED", "PAYMENT_FAILED", "DECLINED")
    )  # fmt: skip


def test_missing_stock_gives_the_money_back_and_cancels_the_order() -> None:
    (
        given()
        .on(OrderCreated)
        .on(PaymentCharged)
        .expect().command(ReserveInventory)
        .on(InventoryFailed)
        .expect().command(RefundPayment, order_id=ORDER)
        .on(PaymentRefunded)
        .expect().command(CancelOrder)
        .on(OrderCancelled)
        .ended("FAILED", "INVENTORY_FAILED", "OUT_OF_STOCK")
    )  # fmt: skip


def test_a_rejected_order_ends_the_checkout_with_nothing_to_undo() -> None:
    given().expect().command(CreateOrder).on(OrderRejected).ended("FAILED", "ORDER_REJECTED", "no such user")
