"""What `explain` would have read of a run, had it been stored."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ops.explain.facts import Facts, Trail, awaited
from ops.letters import Letter, Place
from tests.unit.runs import AMOUNT, NOW, ORDER, SAGA, Run

REPLY = UUID(int=9)
LOOKED_AT = NOW + timedelta(minutes=3)
"""When `explain` looks: everything is older than what is on its way."""
NEVER = NOW + timedelta(days=1)


def facts(run: Run, **known: Any) -> Facts:
    """The facts of a run whose deadline has not passed; `saga` changes columns of its row."""
    changed = {"deadline": LOOKED_AT + timedelta(seconds=30)} if run.saga.deadline else {}
    changed |= known.pop("saga", {})
    since = next((e.at for e in run.log if e.message.id == run.saga.awaiting and e.kind == "SENT"), None)
    row = (
        asdict(run.saga)
        | {"order_id": ORDER, "asked": AMOUNT, "awaited_since": since, "place": run.saga.position, "lists": {}}
        | changed
    )
    entries = [
        {
            "seq": e.seq,
            "kind": e.kind,
            "type": e.message.type,
            "at": e.at,
            "message_id": e.message.id,
            "causation_id": e.message.causation_id,
            "body": e.message.body.to_json(),
        }
        for e in run.log
    ]
    return Facts(**{"asked": str(SAGA), "kind": "saga id", "now": LOOKED_AT, "saga": row, "log": entries, **known})


def sent(run: Run, **changes: Any) -> dict[str, Any]:
    """The outbox row of the awaited command, sent a minute before."""
    command = awaited(facts(run).saga or {})
    return _outbox(run.saga.awaiting, command.__name__, command.destination) | changes


def replied(kind: str, topic: str, **changes: Any) -> dict[str, Any]:
    """The outbox row of a reply, sent a minute before."""
    return _outbox(REPLY, kind, topic) | changes


def _outbox(message_id: UUID | None, kind: str, destination: str) -> dict[str, Any]:
    at = LOOKED_AT - timedelta(minutes=1)
    row = {"message_id": message_id, "type": kind, "destination": destination, "created_at": at, "attempts": 0}
    return row | {"published_at": at, "publish_after": at + timedelta(seconds=3)}


def unsent(due: datetime, attempts: int = 0) -> dict[str, Any]:
    return {"published_at": None, "publish_after": due, "attempts": attempts}


def trail(run: Run, **known: Any) -> Trail:
    return Trail(**{"command": sent(run), **known})


def foreign_letter(topic: str) -> Letter:
    """A reply of a stranger: no key, an id of its own, no word on what it answers."""
    headers = {"message-id": str(UUID(int=8)), "original-topic": topic, "error": "Contradiction: it says amount 1"}
    body = json.dumps({"sagaId": str(SAGA).upper(), "orderId": str(ORDER), "amount": 1}).encode()
    return Letter(Place("saga-orchestrator", 0, 18), None, body, headers)


def letter(service: str, message_id: object, error: str = "ValueError: no\nand more") -> Letter:
    headers = {"message-id": str(message_id), "error": error, "attempt": "2", "failed-at": "2025-01-01T00:02:00Z"}
    return Letter(Place(service, 0, 17), None, b"", headers)
