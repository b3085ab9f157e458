"""How far each partition was handled, and how much of that may be committed."""

from collections.abc import Collection

from aiokafka import TopicPartition


class Positions:
    """An offset is committed when nothing before it would be lost: the records that are held are not safe yet."""

    def __init__(self) -> None:
        self._next: dict[TopicPartition, int] = {}
        self._held: dict[TopicPartition, set[int]] = {}
        self._changed: set[TopicPartition] = set()

    @property
    def changed(self) -> bool:
        """Whether there may be something to commit."""
        return bool(self._changed)

    @property
    def holding(self) -> Collection[TopicPartition]:
        """The partitions that hold a record."""
        return self._held.keys()

    def hold(self, partition: TopicPartition, offset: int) -> None:
        """From here on nothing is committed until this record is safe."""
        self._held.setdefault(partition, set()).add(offset)

    def release(self, partition: TopicPartition, offset: int) -> None:
        """It is safe."""
        if held := self._held.get(partition):
            held.discard(offset)
            self._changed.add(partition)
            if not held:
                del self._held[partition]

    def handled(self, partition: TopicPartition, first: int, next_offset: int) -> None:
        """All records from the first on and before the next were handled, or are held.

        The first since the partition was given to us tells from where on: what is held from before is safe elsewhere.
        """
        if partition not in self._next:
            for offset in [held for held in self._held.get(partition, ()) if held < first]:
                self.release(partition, offset)
        self._next[partition] = next_offset
        self._changed.add(partition)

    def take(self) -> dict[TopicPartition, int]:
        """What has changed since the last time, as Kafka wants it committed."""
        changed, self._changed = self._changed & self._next.keys(), set()
        return {each: min({self._next[each], *self._held.get(each, ())}) for each in changed}

    def forget(self) -> None:
        """They are given out anew, from what was committed on. What is held stays so, as it may come here again."""
        self._next.clear()
        self._changed.clear()
