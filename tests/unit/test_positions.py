"""What may be committed of a partition: nothing behind a record that is not safe."""

from aiokafka import TopicPartition

from chassis.positions import Positions

HERE = TopicPartition("somewhere", 0)


def test_nothing_is_committed_past_a_record_that_is_held_until_it_is_safe() -> None:
    positions = Positions()
    positions.hold(HERE, 5)
    positions.handled(HERE, 0, 10)
    assert positions.take() == {HERE: 5}
    positions.release(HERE, 5)
    assert positions.take() == {HERE: 10}


def test_what_is_held_when_the_partition_goes_is_held_when_it_comes_back_from_there() -> None:
    positions = Positions()
    positions.hold(HERE, 5)
    positions.handled(HERE, 0, 10)
    positions.forget()
    positions.handled(HERE, 5, 12)
    assert positions.take() == {HERE: 5}


def test_what_somebody_else_has_gone_past_meanwhile_holds_nothing_any_more() -> None:
    positions = Positions()
    positions.hold(HERE, 5)
    positions.handled(HERE, 0, 10)
    positions.forget()
    positions.handled(HERE, 100, 110)
    assert positions.take() == {HERE: 110}
    assert not positions.holding
