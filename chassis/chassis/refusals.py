"""What a broker says to a record that it will never take, and that says nothing against the others."""

from typing import Final

from aiokafka.errors import (
    BrokerResponseError,
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    kafka_errors,
)


class RecordRefused(BrokerResponseError):  # type: ignore[misc]
    """As one without a key is by a compacted topic. aiokafka has no name for this answer."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker finds this record invalid."


kafka_errors.setdefault(RecordRefused.errno, RecordRefused)

UNFIT: Final = (MessageSizeTooLargeError, RecordListTooLargeError, RecordRefused)
"""Another record, a smaller one for instance, may be taken."""
REFUSALS: Final = (
    *UNFIT,
    InvalidTimestampError,
    InvalidTopicError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
)
"""The broker has looked, and has written nothing."""
