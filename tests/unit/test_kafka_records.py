"""Messages to and from Kafka records, also those of strangers."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from chassis.errors import InvalidRecord
from chassis.messages import Message, by_destination
from chassis.records import from_record, headers_of
from payment_service.messages import READS, ChargePayment
from saga_orchestrator.messages import InventoryFailed, PaymentFailed
from tests.unit.records import record

TOPIC = ChargePayment.destination
TABLE = by_destination(READS)
CHARGE = ChargePayment(saga_id=UUID(int=1), order_id=UUID(int=2), amount=Decimal("19.99"))
VALUE = CHARGE.to_json().encode()
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


@pytest.mark.parametrize("causation_id", [uuid4(), None])
@pytest.mark.parametrize("traceparent", [TRACE, None])
def test_a_message_survives_the_journey(causation_id: UUID | None, traceparent: str | None) -> None:
    message = Message(CHARGE, uuid4(), causation_id, traceparent)
    assert from_record(record(TOPIC, VALUE, headers_of(message)), TABLE) == message


def test_a_stranger_s_record_has_the_same_id_at_every_delivery_and_no_other_has_it() -> None:
    first, again, other = (from_record(record(TOPIC, VALUE, offset=offset), TABLE) for offset in (7, 7, 8))
    assert first == again
    assert first.id != other.id
    assert first.causation_id is None


def test_a_record_in_the_place_of_one_that_was_lost_is_another_one() -> None:
    old, new = (from_record(record(TOPIC, VALUE, timestamp=at), TABLE) for at in (1_000, 2_000))
    assert old.id != new.id


@pytest.mark.parametrize("nonsense", [b"", b"1", b"\xff\xfe", b"\0", b"\r\n", b"not-an-id", b"1" * 1_000_000, None])
@pytest.mark.parametrize("name", ["message-id", "causation-id", "traceparent"])
def test_nonsense_in_a_header_counts_as_no_header(name: str, nonsense: bytes | None) -> None:
    message = from_record(record(TOPIC, VALUE, [(name, nonsense)]), TABLE)
    assert message == from_record(record(TOPIC, VALUE), TABLE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the record has no value"),
        (b"", "the record has no value"),
        (b"\x00\xff", "body: Invalid JSON"),
        (b"[]", "body: "),
        (b"null", "body: "),
        (b"{}", "sagaId: Field required"),
        (VALUE.replace(b"19.99", b"-1"), "amount: Input should be greater than 0"),
        (VALUE.replace(b"19.99", b'"19.99"'), "amount: .*JSON number"),
        (VALUE[:-1] + b', "forceFail": "perhaps"}', "forceFail: "),
        (b"[" * 100_000, "body: Invalid JSON"),
    ],
)
def test_bytes_that_are_no_message_are_refused_with_the_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(InvalidRecord, match=reason):
        from_record(record(TOPIC, value), TABLE)


@pytest.mark.parametrize("no", [PaymentFailed, InventoryFailed])
def test_a_no_counts_though_postgres_could_not_store_its_reason(no: type[PaymentFailed | InventoryFailed]) -> None:
    value = no(saga_id=UUID(int=1), order_id=UUID(int=2), reason="empty").to_json().replace("empty", "a\\u0000b")
    body = from_record(record(no.destination, value.encode()), by_destination([no])).body
    assert isinstance(body, no)
    assert body.reason == "a\\0b"


def test_of_an_endless_reason_the_beginning_is_kept() -> None:
    body = PaymentFailed(saga_id=uuid4(), order_id=uuid4(), reason="no " * 100_000)
    assert body.reason is not None
    assert (len(body.reason), body.reason[:6], body.reason[-1]) == (1_000, "no no ", "…")
