"""Whatever the network and the power supply do, every checkout ends and the books agree.

Hypothesis invents histories of loss, duplication, reordering, early timeouts, cancels and crashes between any two
lines; then all goes well until nothing moves any more, and every invariant checked below must hold.
"""

from collections import Counter
from contextlib import suppress
from decimal import Decimal
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from chassis.messages import Message
from saga_orchestrator.instance import Cancel, Kind, Status, TimedOut
from saga_orchestrator.messages import StartCheckout
from tests.unit.node import Crash, Dead
from tests.unit.runs import replay
from tests.unit.world import Checkout, World

NODE = st.integers(0, len(World().nodes) - 1)
FORCE = st.sampled_from([True, False, None])
CRASHES = st.one_of(st.none(), st.none(), st.sampled_from(list(Crash)))
MOST_SAGAS = 3
ROUNDS = 60
SOLD = ("CONFIRMED", "CHARGED", "RESERVED")
"""What a completed checkout leaves at each of `World.nodes` but the first."""
ONCE = {("CHARGED",), ("CHARGED", "REFUNDED"), ("FAILED",), ("VOIDED",)}


class Histories(RuleBasedStateMachine):
    """What may happen to the world, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @precondition(lambda self: len(self.world.checkouts) < MOST_SAGAS)
    @rule(payment=FORCE, inventory=FORCE, amount=st.integers(1, 10**9), crash=CRASHES)
    def somebody_checks_out(
        self, payment: bool | None, inventory: bool | None, amount: int, crash: Crash | None
    ) -> None:
        start = StartCheckout(
            saga_id=uuid4(),
            order_id=uuid4(),
            user_id="alice",
            total_amount=Decimal(amount) / 100,
            force_payment_fail=payment,
            force_inventory_fail=inventory,
        )
        with suppress(Dead):
            self.world.deliver(Message.new(start), crash=crash)

    @precondition(lambda self: self.world.network)
    @rule(data=st.data(), unlucky=st.booleans(), stays=st.booleans(), crash=CRASHES)
    def a_message_arrives(self, data: st.DataObject, unlucky: bool, stays: bool, crash: Crash | None) -> None:
        message = data.draw(st.sampled_from(self.world.network))
        with suppress(Dead):
            self.world.deliver(message, unlucky, crash)
            if not stays:
                self.world.network.remove(message)

    @precondition(lambda self: self.world.network)
    @rule(data=st.data())
    def a_message_is_lost(self, data: st.DataObject) -> None:
        self.world.network.remove(data.draw(st.sampled_from(self.world.network)))

    @rule(rounds=st.integers(1, 3), unlucky=st.booleans())
    def all_goes_well_for_a_while(self, rounds: int, unlucky: bool) -> None:
        for _ in range(rounds):
            for node in self.world.nodes:
                while node.memory:
                    node.send(self.world.put)
            for message in self.world.take_all():
                self.world.deliver(message, unlucky)

    @precondition(lambda self: any(node.memory for node in self.world.nodes))
    @rule(data=st.data(), crash=CRASHES)
    def a_relay_sends(self, data: st.DataObject, crash: Crash | None) -> None:
        node = data.draw(st.sampled_from([node for node in self.world.nodes if node.memory]))
        with suppress(Dead):
            node.send(self.world.put, crash)

    @rule(number=NODE)
    def a_relay_sweeps(self, number: int) -> None:
        self.world.nodes[number].sweep()

    @rule(number=NODE)
    def an_outbox_is_pruned(self, number: int) -> None:
        self.world.nodes[number].prune()

    @precondition(lambda self: self.running())
    @rule(data=st.data(), tries=st.integers(1, 6))
    def deadlines_pass_early_or_late(self, data: st.DataObject, tries: int) -> None:
        saga_id = data.draw(st.sampled_from(self.running())).saga.saga_id
        for _ in range(tries):
            saga = self.world.orchestrator.rows[saga_id].saga
            if saga.awaiting:
                self.world.put(
                    Message.new(TimedOut(saga_id=saga_id, awaiting=saga.awaiting, attempt=saga.attempt, seq=saga.seq))
                )
                self.world.deliver(self.world.network[-1])

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        saga = data.draw(st.sampled_from(self.running())).saga
        self.world.put(Message.new(Cancel(saga_id=saga.saga_id, reason="changed my mind")))

    def running(self) -> list[Checkout]:
        return [checkout for checkout in self.world.checkouts if checkout.saga.status is Status.RUNNING]

    def teardown(self) -> None:
        self.all_goes_well()
        self.everything_has_ended_well()
        before = self.business()
        self.every_command_comes_once_more_as_if_new()
        self.all_goes_well()
        assert self.business() == before, "a late command had an effect"
        self.everything_has_ended_well()

    def all_goes_well(self) -> None:
        """Deliver everything, let deadlines pass, until nothing moves."""
        for _ in range(ROUNDS):
            for node in self.world.nodes:
                node.sweep()
                while node.memory:
                    node.send(self.world.put)
            for message in self.world.take_all():
                self.world.deliver(message)
            if not any(node.memory for node in self.world.nodes):
                if not self.running():
                    return
                for checkout in self.running():
                    saga = checkout.saga
                    assert saga.awaiting is not None
                    timed_out = TimedOut(
                        saga_id=saga.saga_id, awaiting=saga.awaiting, attempt=saga.attempt, seq=saga.seq
                    )
                    self.world.deliver(Message.new(timed_out))

    def every_command_comes_once_more_as_if_new(self) -> None:
        for message in list(self.world.ever_sent):
            if message.destination != "order-service":
                self.world.put(Message(message.body, uuid4(), message.causation_id))
            self.world.put(message)

    def business(self) -> list[object]:
        sagas = [(c.saga.saga_id, c.saga.status, c.saga.step) for c in self.world.checkouts]
        return [sagas, *(dict(node.rows) for node in self.world.nodes[1:])]

    def everything_has_ended_well(self) -> None:
        world = self.world
        for checkout in world.checkouts:
            saga = checkout.saga
            order_id = saga.start.order_id  # type: ignore[attr-defined]
            rows = [node.rows.get(order_id) for node in world.nodes[1:]]
            found = tuple(row.status if row else None for row in rows)
            assert saga.status is not Status.RUNNING, "a saga never ends"
            if saga.status is Status.COMPLETED:
                assert found == SOLD
            else:
                assert found[0] in ("CANCELLED", None), "an order lives though its saga failed"
                kept = [status for status, sold in zip(found, SOLD, strict=True) if status == sold]
                assert kept == [], "something is kept without an order"
            self.the_log_tells_the_story(checkout)
        self.the_money_is_right()

    def the_log_tells_the_story(self, checkout: Checkout) -> None:
        log, saga = checkout.log, checkout.saga
        assert [entry.seq for entry in log] == list(range(1, saga.seq + 1)), "the log has a gap"
        assert replay(log) == saga, "the log tells another story"
        charged = Counter(e.message.id for e in log if e.kind is Kind.SENT and e.message.type == "ChargePayment")
        assert len(charged) <= 1, "two different charges were sent"

    def the_money_is_right(self) -> None:
        payments = self.world.payment
        assert all(tuple(history) in ONCE for history in payments.history.values()), "not charged or refunded once"
        taken = sum(payments.rows[i].amount for i, history in payments.history.items() if "CHARGED" in history)
        given_back = sum(row.amount for row in payments.rows.values() if row.status == "REFUNDED")
        sold = sum(row.total_amount for row in self.world.order.rows.values() if row.status == "CONFIRMED")
        assert taken == given_back + sold, "money is lost or found"


class TestHistories(Histories.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=300, stateful_step_count=60)
