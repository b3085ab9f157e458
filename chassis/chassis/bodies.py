"""Request bodies, read as models; one that is wrong is refused with a problem that says what to do."""

from http import HTTPStatus
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from chassis.problems import Refused, wrong_values

Parsed = TypeVar("Parsed", bound=BaseModel)


async def parse(request: Request, model: type[Parsed]) -> Parsed:
    """The request's body as a model; 415 for another content type, 413 too long, 400 broken JSON, 422 wrong values."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body with Content-Type: application/json")
    try:
        return model.model_validate_json(await _body(request))
    except ValidationError as error:
        if any(e["type"] == "json_invalid" for e in error.errors()):
            raise Refused(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error.errors()[0]['msg']}") from None
        raise wrong_values(error) from None


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
