"""The log of a saga as people read it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from ops.explain.facts import RECEIVERS, SENDERS, UNDOS, Row
from ops.explain.words import span

FOLDED: Final = 3
"""So many tries in a row are shown; of more, the first and the last."""
KINDS: Final[Mapping[str, str]] = {"RECEIVED": "received", "SENT": "sent", "LATE": "too late"}
OTHERS: Final[Mapping[str, str]] = {
    "StartCheckout": "the customer",
    "TimedOut": "the clock",
    "Cancel": "an operator",
    "Retry": "an operator",
    "Resolve": "an operator",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An entry; or, without a seq, the tries that are left out."""

    seq: str
    elapsed: str
    kind: str
    what: str
    by: str
    undo: bool


def timeline(log: Sequence[Row], begun: datetime) -> Iterator[Line]:
    """The entries, with a crowd of vain tries left out."""
    for tries in _runs(log):
        left_out = tries[2:-2] if len(tries) > 2 * FOLDED else ()
        for entry in tries[:2] if left_out else tries:
            yield _line(entry, begun)
        if left_out:
            yield Line("", "", "...", f"{len(left_out) // 2} more vain tries", "", False)
            yield from (_line(entry, begun) for entry in tries[-2:])


def _runs(log: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The log in pieces: pairs of TimedOut and the same command again that follow each other, or one entry."""
    start = 0
    while start < len(log):
        end = start
        while _again(log[end : end + 2]):
            end += 2
        end = max(end, start + 1)
        yield log[start:end]
        start = end


def _again(pair: Sequence[Row]) -> bool:
    """Whether this is a vain try and the next one; an undo that follows a time-out is another command."""
    if len(pair) < 2 or pair[0]["type"] != "TimedOut" or pair[1]["kind"] != "SENT":
        return False
    return bool(_body(pair[0]).get("awaiting") == str(pair[1]["message_id"]))


def _line(entry: Row, begun: datetime) -> Line:
    name, undo = entry["type"], entry["type"] in UNDOS
    by = f"to {RECEIVERS.get(name, '?')}" if entry["kind"] == "SENT" else SENDERS.get(name) or OTHERS.get(name, "?")
    reason = _body(entry).get("reason")
    what = name + (f": {reason}" if reason else "") + (" (compensation)" if undo else "")
    return Line(
        str(entry["seq"]), f"+{span(entry['at'] - begun)}", KINDS.get(entry["kind"], entry["kind"]), what, by, undo
    )


def _body(entry: Row) -> Mapping[str, Any]:
    """What it says; nothing, if that is none of our messages."""
    body = orjson.loads(entry["body"])
    return body if isinstance(body, dict) else {}
