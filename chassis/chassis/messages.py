"""The one shape of every message: an envelope (`Message`) around a typed body (`Command` or `Event`)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel
from uuid_utils.compat import uuid7

TRACEPARENT: Final = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
SUBMITTER: Final = ""
"""The destination of a reply that goes back to whoever submitted the message, and nowhere else."""


def _only_a_number(value: object) -> object:
    if isinstance(value, str):
        raise ValueError('must be a JSON number, not text: write 19.99 instead of "19.99"')
    return value


def _plain_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


Amount = Annotated[
    Decimal,
    Field(gt=0, max_digits=12, decimal_places=2, allow_inf_nan=False),
    PlainSerializer(_plain_number, return_type=int | float),
]
"""An amount that a stranger repeats to us, be it as text, as its database may hand it over."""

Money = Annotated[Amount, BeforeValidator(_only_a_number, json_schema_input_type=float)]
"""An exact amount with at most two decimals, numeric(12,2) in SQL, a plain JSON number on the wire."""


LONGEST_REASON: Final = 1_000
"""In characters: every page and answer about its saga shows it."""


def _storable(text: str) -> str:
    text = text.replace("\0", "\\0")
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


Reason = Annotated[str, AfterValidator(_storable)]
"""A stranger's free text, cut; Postgres stores no NUL, and a no must not be lost for the sake of its reason."""


class Wire(BaseModel):
    """Anything that travels as JSON: camelCase there; fields that nobody knows are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True, extra="ignore"
    )


class Body(Wire):
    """What a message says, flat."""

    destination: ClassVar[str] = SUBMITTER
    saga_id: UUID

    def to_json(self) -> str:
        """The body as it travels; absent fields are left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


class Command(Body):
    """A request, named in the imperative. A duplicate is answered again."""


class Event(Body):
    """A reply or a fact, named in the past tense. A duplicate is dropped."""


@dataclass(frozen=True, slots=True)
class Message:
    """A body with its metadata; `causation_id` is the message that this one answers or follows."""

    body: Body
    id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None

    @classmethod
    def new(cls, body: Body, traceparent: str | None = None) -> Self:
        """A message that nothing but the outside world caused."""
        return cls(body, uuid7(), traceparent=traceparent)

    @property
    def key(self) -> UUID:
        """The saga id, which is also the Kafka key."""
        return self.body.saga_id

    @property
    def type(self) -> str:
        """The body's class name, `ChargePayment`, as the header and the logs show it."""
        return type(self.body).__name__

    @property
    def destination(self) -> str:
        """A Kafka topic, the name of an HTTP transport, or `SUBMITTER`."""
        return self.body.destination

    def cause(self, body: Body, message_id: UUID | None = None) -> "Message":
        """A message in the same conversation, caused by this one."""
        return Message(body, message_id or uuid7(), self.id, self.traceparent)


def trace_context(text: str | None) -> str | None:
    """A `traceparent` as W3C Trace Context has it; None for anything else, which we do not pass on."""
    return text if text and TRACEPARENT.fullmatch(text) else None


def by_destination(bodies: Iterable[type[Body]]) -> dict[str, type[Body]]:
    """The table that a consumer dispatches by: topic -> the one body that is read from it."""
    return {body.destination: body for body in bodies}


def by_type(bodies: Iterable[type[Body]]) -> dict[str, type[Body]]:
    """The table that the outbox restores rows by: type name -> body."""
    return {body.__name__: body for body in bodies}
