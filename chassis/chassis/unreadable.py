"""A batch that cannot be read stops its own partition only: it is named, and tried again now and then.

aiokafka raises its error to whoever polls, and with it loses what the poll had of other partitions. So what it has
fetched is wrapped: the records before the fault are handed out, then that partition rests, and nothing was passed over.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from traceback import walk_tb
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import FetchError, PartitionRecords

from chassis import metrics
from chassis.loops import NowAndThen
from chassis.settings import Settings

log = structlog.get_logger()

Note = Callable[[int, Exception], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a partition stands, and why; `behind` is the first offset after what cannot be read, if that is known."""

    offset: int
    behind: int | None
    error: str


def line(where: TopicPartition, fault: Fault) -> str:
    """As /readyz has it, and `explain` reads it."""
    again = f", readable again from {fault.behind} on" if fault.behind else ""
    stands = f"stands at offset {fault.offset}, which cannot be read{again}"
    return f"{where.topic}/{where.partition} {stands}: {fault.error}"


class Unreadable:
    """The partitions of one process that stand."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._faults: dict[TopicPartition, Fault] = {}
        self._loud = NowAndThen(settings.trouble_said_seconds)

    def faults(self) -> list[str]:
        """A line for each."""
        return [line(*each) for each in sorted(self._faults.items())]

    def watch(self, kafka: AIOKafkaConsumer) -> None:
        """Have this client, which has just started, stand where it cannot read."""
        fetcher = kafka._fetcher
        fetcher._records = _Fetched(fetcher, partial(self._stand, kafka))

    def passed(self, kafka: AIOKafkaConsumer) -> None:
        """Whoever has come beyond its fault stands no more."""
        for partition in self._faults.keys() & kafka.assignment():
            if (_position(kafka._subscription, partition) or 0) > self._faults[partition].offset:
                del self._faults[partition]
                metrics.unreadable.remove(partition.topic, str(partition.partition))
                log.info("the partition is read again", topic=partition.topic, partition=partition.partition)

    def forget(self) -> None:
        """Their partitions are given out anew; whoever gets them will find out."""
        for partition in self._faults:
            metrics.unreadable.remove(partition.topic, str(partition.partition))
        self._faults.clear()

    def _stand(self, kafka: AIOKafkaConsumer, partition: TopicPartition, offset: int, error: Exception) -> None:
        behind = _behind(offset, error)
        fault = self._faults[partition] = Fault(offset, behind, f"{type(error).__name__}: {error}")
        metrics.unreadable.labels(partition.topic, str(partition.partition)).set(offset)
        if self._loud.due((partition, offset)):
            log.error(
                "a partition cannot be read, it stands and the others go on; docs/operations.md has the way past it",
                topic=partition.topic,
                partition=partition.partition,
                offset=offset,
                next_readable_offset=behind,
                error=repr(error),
            )
        if partition in kafka.assignment():
            kafka.pause(partition)
        again_in = asyncio.get_running_loop().call_later
        again_in(self._settings.unreadable_retry_seconds, self._try_again, kafka, partition, fault)

    def _try_again(self, kafka: AIOKafkaConsumer, partition: TopicPartition, fault: Fault) -> None:
        """It may have been mended: by a replica, by an operator, by the end of its retention."""
        if self._faults.get(partition) is fault and partition in kafka.assignment():
            # Not past what was put back meanwhile, as records of a retry topic are until their delay is over.
            position = _position(kafka._subscription, partition)
            kafka.seek(partition, fault.offset if position is None else min(position, fault.offset))
            kafka.resume(partition)


class _Fetched(OrderedDict[TopicPartition, Any]):
    """What aiokafka has fetched and nobody has polled yet."""

    def __init__(self, fetcher: Any, stand: Callable[[TopicPartition, int, Exception], None]) -> None:
        self._subscriptions = fetcher._subscriptions
        self._stand = stand
        super().__init__()
        for partition, fetched in fetcher._records.items():
            self[partition] = fetched

    def __setitem__(self, partition: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchError):  # no right to read it, or a length that cannot be
            if (offset := _position(self._subscriptions, partition)) is not None:
                self._stand(partition, offset, fetched._error)
                # Behind a record that seems too large aiokafka would go on.
                asyncio.get_running_loop().call_soon(self._subscriptions.seek, partition, offset)
            return
        fetched._partition_records = _Readable(fetched._partition_records, partial(self._stand, partition))
        super().__setitem__(partition, fetched)


class _Readable:
    """The records up to the first that cannot be read."""

    def __init__(self, records: PartitionRecords, note: Note) -> None:
        self._records = records
        self._note = note

    @property
    def next_fetch_offset(self) -> int:
        offset: int = self._records.next_fetch_offset
        return offset

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return self

    def __next__(self) -> ConsumerRecord:
        try:
            return next(self._records)
        except StopIteration:
            raise
        except Exception as error:
            self._note(self.next_fetch_offset, error)
            raise StopIteration from error


def _position(subscriptions: Any, partition: TopicPartition) -> int | None:
    """The offset that is fetched next; `AIOKafkaConsumer.position` would wait for one."""
    position: int | None = subscriptions.subscription.assignment.state_value(partition)._position
    return position


def _behind(offset: int, error: Exception) -> int | None:
    """The first offset after the batch in which reading failed; its head says so, unless that is damaged too."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name == PartitionRecords._unpack_records.__name__:
            behind = getattr(frame.f_locals.get("next_batch"), "next_offset", 0)
            return behind if behind > offset else None
    return None
