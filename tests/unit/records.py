"""Kafka records made by hand."""

from collections.abc import Iterable

from aiokafka import ConsumerRecord


def record(
    topic: str,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] = (),
    offset: int = 7,
    timestamp: int = 0,
) -> ConsumerRecord:
    """A record as a consumer gets it."""
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=0,
        key=b"any",
        value=value,
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=len(value or b""),
        headers=tuple(headers),
    )
