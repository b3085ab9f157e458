"""HTML from the templates, with headers that let a browser run and load nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import orjson
from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from saga_orchestrator.definition import Saga
from saga_orchestrator.drawing import Awaited, age, draw, in_words
from saga_orchestrator.instance import SagaInstance
from saga_orchestrator.messages import checkout_of
from saga_orchestrator.overview import LOOKED_THROUGH
from saga_orchestrator.views import EventView

TEMPLATES = files("saga_orchestrator") / "templates"
STYLE = (TEMPLATES / "style.css").read_text()
SCRIPT = (TEMPLATES / "refresh.js").read_text()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

environment = Environment(
    loader=PackageLoader("saga_orchestrator"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals |= {"style": STYLE, "script": SCRIPT, "looked_through": LOOKED_THROUGH}
environment.filters |= {"age": age, "checkout": checkout_of, "json": lambda value: orjson.dumps(value).decode()}


def page(template: str, status: int = HTTPStatus.OK, **content: Any) -> Response:
    """A template, filled in: whatever is put into it stays text."""
    now = datetime.now(UTC)  # noqa: TID251 -- for people
    return HTMLResponse(environment.get_template(template).render(now=now, **content), status, HEADERS)


def saga_page(definition: Saga, saga: SagaInstance, waits: Awaited | None, events: Sequence[EventView]) -> Response:
    """One saga with its log, in words, as a diagram and as a table."""
    return page(
        "saga.html",
        saga=saga,
        events=events,
        words=in_words(saga, waits),
        awaited=waits,
        since=next((event.at for event in events if event.message_id == saga.awaiting), None),
        drawing=draw(definition, saga, events),
    )
