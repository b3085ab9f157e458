"""How dead letters look on a screen."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from ops.letters import Letter
from ops.sagas import Saga

WAITS: Final[Mapping[bool | None, str]] = {True: "yes", False: "no", None: "?"}
LOG_TAIL: Final = 10
HEX_BYTES: Final = 256


def about(letter: Letter) -> dict[str, str | None]:
    """What a log line says of a letter."""
    ids = {"message_id": letter.headers.get("message-id"), "saga_id": str(letter.saga_id) if letter.saga_id else None}
    return {"place": str(letter.place), "topic": letter.topic} | ids


def row(letter: Letter, saga: Saga, waits: bool | None) -> dict[str, Any]:
    """A letter in `list`."""
    return {
        "place": str(letter.place),
        "topic": letter.topic,
        "messageId": letter.headers.get("message-id"),
        "messageType": letter.headers.get("message-type"),
        "attempt": letter.headers.get("attempt"),
        "redrives": letter.redrives,
        "failedAt": letter.headers.get("failed-at"),
        "error": letter.headers.get("error"),
        "sagaId": str(letter.saga_id) if letter.saga_id else None,
        "saga": {name: saga[name] for name in ("status", "step", "unknown") if name in saga},
        "waits": waits,
    }


def show_list(console: Console, rows: list[dict[str, Any]]) -> None:
    """The table for people."""
    table = Table("dead letter", "saga", "why it failed", show_lines=True)
    for found in rows:
        letter = (found["place"], found["topic"], f"{found['failedAt']}, redrives: {found['redrives']}")
        saga = (found["sagaId"], standing(found["saga"]), f"waits for it: {WAITS[found['waits']]}")
        table.add_row("\n".join(map(plain, letter)), "\n".join(map(plain, saga)), plain(found["error"]))
    if rows:
        console.print(table)
    console.print(f"{len(rows)} open dead letters")


def show_letter(console: Console, letter: Letter, ending: str, saga: Saga, waits: bool | None) -> None:
    """Everything about one."""
    table = Table(show_header=False, title=f"dead letter {letter.place}: {plain(ending)}", title_justify="left")
    for name, text in letter.headers.items():
        table.add_row(plain(name), plain(text))
    table.add_row("key", plain(letter.key))
    table.add_row("body", readable(letter.value))
    table.add_row("saga", plain(letter.saga_id))
    table.add_row("stands", plain(standing(saga)))
    table.add_row("waits for it", WAITS[waits])
    console.print(table)
    events = saga.get("events", [])[-LOG_TAIL:]
    if events:
        tail = Table("seq", "at", "", "type", "message", title="the end of its saga's log", title_justify="left")
        for event in events:
            tail.add_row(*(plain(event[name]) for name in ("seq", "at", "kind", "type", "messageId")))
        console.print(tail)


def standing(saga: Saga) -> str:
    """Where a saga is, or why that is not known."""
    return saga.get("unknown") or f"{saga['status']} {saga['step']}"


def readable(body: bytes) -> str:
    """JSON with indents; anything else in hex, as much as a screen holds."""
    try:
        return plain(orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2), keep="\n")
    except orjson.JSONDecodeError:
        rest = len(body) - HEX_BYTES
        return f"{len(body)} bytes: " + body[:HEX_BYTES].hex(" ", -4) + (f" and {rest} more" if rest > 0 else "")


def plain(text: object, keep: str = "") -> str:
    """A stranger's text without what a terminal would obey."""
    shown = text.decode(errors="replace") if isinstance(text, bytes) else str("-" if text is None else text)
    return "".join(c if c.isprintable() or c in keep else f"\\x{ord(c):02x}" for c in shown)
