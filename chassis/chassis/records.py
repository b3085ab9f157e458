"""Messages to and from Kafka records."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from chassis.errors import InvalidRecord
from chassis.messages import Body, Message, trace_context


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """The metadata as it travels beside the body."""
    fields = {
        "message-id": str(message.id),
        "message-type": message.type,
        "causation-id": str(message.causation_id) if message.causation_id else None,
        "traceparent": message.traceparent,
    }
    return [(name, value.encode()) for name, value in fields.items() if value]


def header_texts(record: ConsumerRecord) -> dict[str, str]:
    """A record's headers, whoever wrote them."""
    return {name: value.decode(errors="replace") for name, value in record.headers if value is not None}


def message_id_of(record: ConsumerRecord, headers: Mapping[str, str]) -> UUID:
    """A foreign sender gives no `message-id`: then the place in the log decides, the same at every redelivery.

    With its time, since a log that was lost begins at offset 0 again.
    """
    given = uuid_of(headers.get("message-id"))
    place = f"{record.topic}/{record.partition}/{record.offset}@{record.timestamp}"
    return given or uuid5(NAMESPACE_URL, f"kafka:{place}")


def count_in(headers: Mapping[str, str], name: str) -> int:
    """A header that counts something; 0 without one, or if somebody wrote nonsense there."""
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def uuid_of(text: object) -> UUID | None:
    """The id that a stranger's text is, if it is one."""
    with suppress(ValueError):
        return UUID(text) if isinstance(text, str) else None
    return None


def body_of(value: bytes | None) -> dict[str, Any]:
    """What a record says, if that is a JSON object."""
    with suppress(orjson.JSONDecodeError):
        said = orjson.loads(value or b"")
        return said if isinstance(said, dict) else {}
    return {}


def saga_id_of(key: bytes | None, value: bytes | None) -> UUID | None:
    """The saga that a record is about: its body names it or, if not, its key."""
    return uuid_of(body_of(value).get("sagaId")) or uuid_of((key or b"").decode(errors="replace"))


def from_record(record: ConsumerRecord, reads: Mapping[str, type[Body]]) -> Message:
    """Decode a record; `InvalidRecord` says why it cannot be one of the messages that this service reads.

    A record on a retry topic is read as what it was on its original topic.
    """
    found = header_texts(record)
    topic = record.topic if record.topic in reads else found.get("original-topic", record.topic)
    try:
        model = reads[topic]
    except KeyError as error:
        raise InvalidRecord(f"this service does not read topic {error}") from error
    if not record.value:
        raise InvalidRecord("the record has no value")
    try:
        body = model.model_validate_json(record.value)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise InvalidRecord(problems) from error
    cause, trace = uuid_of(found.get("causation-id")), trace_context(found.get("traceparent"))
    return Message(body, message_id_of(record, found), cause, trace)
