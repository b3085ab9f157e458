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
from tests.unit.runs import AMOUNT, ORDER, REASON
from tests.unit.scenario import given


def test_a_checkout_that_everybody_agrees_to_is_completed() -> None:
    (
        given()
        .expect(CreateOrder, order_id=ORDER, user_id="alice", total_amount=AMOUNT)
        .when(OrderCreated)
        .expect(ChargePayment, order_id=ORDER, amount=AMOUNT)
        .when(PaymentCharged)
        .expect(ReserveInventory, order_id=ORDER)
        .when(InventoryReserved)
        .expect(ConfirmOrder, order_id=ORDER, status="CONFIRMED")
        .when(OrderConfirmed)
        .ended("COMPLETED", "ORDER_CONFIRMED")
    )


def test_a_refused_payment_cancels_the_order_and_asks_nobody_for_stock() -> None:
    (
        given()
        .when(OrderCreated)
        .expect(ChargePayment)
        .when(PaymentFailed)
        .expect(CancelOrder, order_id=ORDER, status="CANCELLED", user_id="alice", total_amount=AMOUNT)
        .when(OrderCancelled)
        .ended("FAILED", "PAYMENT_FAILED", REASON)
    )


def test_missing_stock_gives_the_money_back_and_cancels_the_order() -> None:
    (
        given()
        .when(OrderCreated)
        .when(PaymentCharged)
        .expect(ReserveInventory)
        .when(InventoryFailed)
        .expect(RefundPayment, order_id=ORDER)
        .when(PaymentRefunded)
        .expect(CancelOrder)
        .when(OrderCancelled)
        .ended("FAILED", "INVENTORY_FAILED", REASON)
    )


def test_a_rejected_order_ends_the_checkout_with_nothing_to_undo() -> None:
    given().expect(CreateOrder).when(OrderRejected).ended("FAILED", "ORDER_REJECTED", REASON)
