"""Request bodies, read as models; one that is wrong is refused with a problem that says what to do."""

import codecs
import json
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from chassis.problems import Refused, wrong_values

Parsed = TypeVar("Parsed", bound=BaseModel)
BYTE_ORDER_MARK = codecs.BOM_UTF8
"""Many editors and shells of Windows begin a file with it; RFC 8259 lets a reader skip it."""


async def parse(request: Request, model: type[Parsed]) -> Parsed:
    """The request's body as a model.

    415 for another content type or an encoding, 413 too long, 400 broken JSON or a key twice, 422 wrong values.
    """
    _look_at_headers(request)
    body = (await _body(request)).removeprefix(BYTE_ORDER_MARK)
    try:
        parsed = model.model_validate_json(body)
    except ValidationError as error:
        if any(e["type"] == "json_invalid" for e in error.errors()):
            raise Refused(HTTPStatus.BAD_REQUEST, _why_no_json(body, error)) from None
        raise wrong_values(error) from None
    _refuse_a_key_twice(body)
    return parsed


def _look_at_headers(request: Request) -> None:
    """A charset means nothing: JSON is UTF-8 (RFC 8259)."""
    kinds = {kind.partition(";")[0].strip().lower() for kind in request.headers.getlist("content-type")}
    if kinds != {"application/json"}:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body with Content-Type: application/json")
    encodings = ",".join(request.headers.getlist("content-encoding")).split(",")
    if {encoding.strip().lower() for encoding in encodings} - {"", "identity"}:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "send the body as it is, without Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )


def _why_no_json(body: bytes, error: ValidationError) -> str:
    try:
        if "\0" not in body.decode()[:4]:
            return f"the body is not JSON: {error.errors()[0]['msg']}"
    except UnicodeDecodeError:
        pass
    return "the body is not JSON in UTF-8"


def _refuse_a_key_twice(body: bytes) -> None:
    """Whoever looked at it on its way may have taken the other value."""
    try:
        _distinct.decode(body.decode())
    except RecursionError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is nested too deeply") from None


def _with_distinct_keys(pairs: list[tuple[str, Any]]) -> None:
    keys = {key for key, _ in pairs}
    if len(keys) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in {each for each, _ in pairs[:index]})
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body has the key {json.dumps(twice)} twice in one object")


_distinct = json.JSONDecoder(object_pairs_hook=_with_distinct_keys, parse_int=float)


async def _body(request: Request) -> bytes:
    """The whole body, unless it is longer than the setting `MAX_BODY_BYTES` allows."""
    most: int = request.app.state.max_body_bytes
    announced = request.headers.get("content-length", "").strip().lstrip("0") or "0"
    body = bytearray()
    if len(announced) <= len(str(most)) and announced.isdecimal() and int(announced) <= most:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                break
        else:
            return bytes(body)
    raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have at most {most} bytes")
