"""Bodies on the wire: money, names, absent fields."""

import json
from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from chassis.messages import SUBMITTER, Event, Message, Money, by_destination, by_type
from payment_service.messages import ChargePayment, PaymentCharged

MONEY: TypeAdapter[Decimal] = TypeAdapter(Money)
SAGA, ORDER = UUID(int=1), UUID(int=2)
CHARGE = ChargePayment(saga_id=SAGA, order_id=ORDER, amount=Decimal("19.90"))


@pytest.mark.parametrize("text", ["0.01", "1", "19.99", "500", "500.0", "5e2", "0.1", "9999999999.99"])
def test_an_amount_is_read_exactly_and_written_as_a_plain_number(text: str) -> None:
    amount = MONEY.validate_json(text)
    assert amount == Decimal(text)
    assert Decimal(MONEY.dump_json(amount).decode()) == amount


@pytest.mark.parametrize("text", ["0", "-0", "-1", "0.001", "19.999", "1e-3", "1e400", "10000000000", "12345678901.1"])
def test_an_amount_that_no_order_can_have_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MONEY.validate_json(text)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", '"19.99"', '""', "true", "null", "[]", "{}"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MONEY.validate_json(text)


def test_whole_amounts_have_no_decimals_on_the_wire() -> None:
    assert MONEY.dump_json(Decimal("500.00")) == b"500"


def test_a_body_is_flat_camel_case_without_absent_fields() -> None:
    assert json.loads(CHARGE.to_json()) == {"sagaId": str(SAGA), "orderId": str(ORDER), "amount": 19.9}


def test_a_false_is_not_absent() -> None:
    assert json.loads(CHARGE.model_copy(update={"force_fail": False}).to_json())["forceFail"] is False


def test_unknown_fields_are_ignored() -> None:
    assert ChargePayment.model_validate_json(CHARGE.to_json()[:-1] + ', "colour": "red"}') == CHARGE


def test_a_caused_message_names_its_cause_and_keeps_key_and_trace() -> None:
    charge = Message.new(CHARGE, traceparent="00-1-2-01")
    reply = charge.cause(PaymentCharged(saga_id=SAGA, order_id=ORDER, amount=CHARGE.amount))
    assert (reply.causation_id, reply.key, reply.traceparent) == (charge.id, SAGA, "00-1-2-01")
    assert reply.id != charge.id


def test_a_body_without_a_topic_goes_back_to_its_submitter() -> None:
    assert Message.new(Event(saga_id=SAGA)).destination == SUBMITTER


def test_bodies_are_found_by_topic_and_by_name() -> None:
    assert by_destination([ChargePayment]) == {"payment.charge.command": ChargePayment}
    assert by_type([ChargePayment]) == {"ChargePayment": ChargePayment}
