"""I4 from the client's side: what it was told is what the databases hold."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from audit.look import Look
from audit.report import Finding, Verdict

AT_ONCE = 5_000
TODO = "the acknowledgement is a promise: find the saga in the backups and the log, tell the client"

SAGAS = "select saga_id, order_id, status, step from sagas where saga_id = any($1::uuid[])"
KEYS = "select idempotency_key, saga_id from checkout_requests where idempotency_key = any($1::text[])"


async def acknowledged(look: Look, verdict: Verdict) -> None:
    """Every acknowledged checkout exists, under its key, and has the outcome that was told if that was an end.

    A line of the history is {idempotencyKey?, sagaId, orderId, status, step, httpStatus}.
    """
    if look.options.history is None:
        return
    database = look.snapshots.orchestrator
    for answers in _batches(look.options.history):
        verdict.looked += len(answers)
        sagas = await database.fetch(SAGAS, [UUID(answer["sagaId"]) for answer in answers])
        keys = await database.fetch(KEYS, [key for answer in answers if (key := answer.get("idempotencyKey"))])
        stored = {str(row["saga_id"]): row for row in sagas}
        saga_of = {row["idempotency_key"]: str(row["saga_id"]) for row in keys}
        for answer in answers:
            verdict.add(
                Finding(what, TODO, UUID(answer["sagaId"]), UUID(answer["orderId"]))
                for what in _differences(answer, stored.get(answer["sagaId"]), saga_of)
            )


def _differences(answer: Mapping[str, Any], saga: asyncpg.Record | None, saga_of: Mapping[str, str]) -> Iterator[str]:
    if saga is None:
        yield "an acknowledged checkout is lost"
        return
    if str(saga["order_id"]) != answer["orderId"]:
        yield f"its saga is about order {saga['order_id']}"
    told, stored = (answer["status"], answer["step"]), (saga["status"], saga["step"])
    if told[0] != "RUNNING" and told != stored:
        yield f"the client was told {' at '.join(told)}, the saga is {' at '.join(stored)}"
    key = answer.get("idempotencyKey")
    if key and saga_of.get(key) != answer["sagaId"]:
        yield f"Idempotency-Key {key!r} leads to saga {saga_of.get(key)}"


def _batches(file: Path) -> Iterator[list[dict[str, Any]]]:
    """The acknowledged lines; an answer without a saga promised nothing."""
    with file.open() as lines:
        answers = (answer for line in lines if line.strip() and (answer := json.loads(line)).get("sagaId"))
        while some := list(islice(answers, AT_ONCE)):
            yield some
