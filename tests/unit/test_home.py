"""A saga begins where its replies will come to."""

from uuid import UUID

from chassis.kafka import choose_partition, partition_of
from saga_orchestrator.home import TRIES, new_saga_id


def test_a_saga_id_is_one_whose_replies_come_here() -> None:
    ids = [new_saga_id(lambda key: partition_of(key, 4) == 3) for _ in range(20)]

    assert {partition_of(saga_id, 4) for saga_id in ids} == {3}
    assert len(set(ids)) == 20


def test_where_no_reply_comes_to_any_id_will_do() -> None:
    asked: list[UUID] = []

    def nowhere(key: UUID) -> bool:
        asked.append(key)
        return False

    assert new_saga_id(nowhere) == asked[-1]
    assert len(asked) == TRIES


def test_a_key_belongs_to_the_partition_that_a_producer_chooses_for_it() -> None:
    partitions = [0, 1, 2, 3]

    for number in range(100):
        key = UUID(int=number << 64 | number)
        assert partition_of(key, 4) == choose_partition(str(key).encode(), partitions, partitions)
