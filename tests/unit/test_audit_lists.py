"""A log is judged by the lists of steps that it was written under, also when their messages are not known any more."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from audit.lists import Lists
from audit.replay import shape
from chassis.messages import Message
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga
from saga_orchestrator.instance import LogEntry, SagaInstance
from saga_orchestrator.messages import InventoryReserved, OrderConfirmed, OrderCreated, PaymentCharged
from saga_orchestrator.saga import decide
from tests.support.shipping import WITH_SHIPPING, WITHOUT_CONFIRMATION, ShippingBooked
from tests.unit.runs import NOW, START, reply

BEFORE_SHIPPING = (OrderCreated, PaymentCharged, InventoryReserved)


def known(*definitions: Saga) -> Lists:
    return Lists({each.fingerprint: [step.described() for step in each.steps] for each in definitions})


def lived(*lives: tuple[Saga, tuple[type, ...]]) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """The row and the log of a saga that got these replies, under one list after the other."""
    saga: SagaInstance | None = None
    log: list[LogEntry] = []
    for definition, replies in lives:
        if saga:
            saga = known(*(life for life, _ in lives)).moved(saga, definition)
            assert saga
        for body in [*([] if saga else [START]), *map(reply, replies)]:
            decision = decide(definition, saga, Message.new(body), NOW, uuid4())
            saga, log = decision.saga, [*log, *decision.log]
    assert saga
    return asdict(saga), [stored(entry) for entry in log]


def stored(entry: LogEntry) -> Mapping[str, Any]:
    message = entry.message
    row = {"seq": entry.seq, "kind": entry.kind, "type": message.type, "at": entry.at, "message_id": message.id}
    return row | {"causation_id": message.causation_id, "body": message.body.to_json()}


def test_what_ended_under_an_earlier_list_is_well_after_every_change() -> None:
    row, log = lived((WITH_SHIPPING, (*BEFORE_SHIPPING, ShippingBooked, OrderConfirmed)))
    assert shape(row, log, known(WITH_SHIPPING, CHECKOUT)).faults == ()


def test_a_log_that_went_on_under_another_list_is_well() -> None:
    row, log = lived((CHECKOUT, BEFORE_SHIPPING), (WITH_SHIPPING, (OrderConfirmed,)))
    assert shape(row, log, known(CHECKOUT, WITH_SHIPPING)).faults == ()
    row, log = lived((CHECKOUT, (OrderCreated,)), (WITH_SHIPPING, (PaymentCharged, InventoryReserved, ShippingBooked)))
    assert shape(row, log, known(CHECKOUT, WITH_SHIPPING)).faults == ()


def test_an_entry_that_no_list_would_have_written_is_a_fault() -> None:
    row, log = lived((CHECKOUT, (*BEFORE_SHIPPING, OrderConfirmed)))
    (fault,) = shape(row, [*log[:3], *log[5:]], known(CHECKOUT, WITH_SHIPPING)).faults
    assert fault.startswith("its log cannot have happened")


def test_a_log_of_a_list_that_is_stored_nowhere_is_a_fault() -> None:
    row, log = lived((WITH_SHIPPING, (*BEFORE_SHIPPING, ShippingBooked)))
    (fault,) = shape(row, log, known(CHECKOUT, WITHOUT_CONFIRMATION)).faults
    assert fault.startswith("its log cannot have happened")
