"""HEAD, pages of other origins, and too many requests: what is decided before FastAPI sees a request."""

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from chassis import problems
from chassis.bodies import parse
from chassis.edge import Application
from chassis.http import json_response
from chassis.settings import Settings

PAGE = {"Origin": "https://shop.example"}
PREFLIGHT = {
    **PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,idempotency-key,prefer,traceparent,baggage",
}


class Nothing(BaseModel):
    pass


async def accept(request: Request) -> Response:
    await parse(request, Nothing)
    return json_response({}, 202, {"Location": "/sagas/1"})


async def show() -> Response:
    return json_response({"a": 1})


async def fail() -> Response:
    raise KeyError("why")


def application(origins: str) -> FastAPI:
    settings = Settings(
        service="test", port=1, pgport=1, pguser="u", pgpassword="p", pgdatabase="d", cors_allow_origins=origins
    )
    app = Application(settings)
    app.state.max_body_bytes = settings.max_body_bytes
    problems.install(app)
    app.post("/checkout")(accept)
    app.get("/shown")(show)
    app.get("/broken")(fail)
    return app


async def ask(app: FastAPI, method: str, path: str, **content: object) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        return await http.request(method, path, **content)  # type: ignore[arg-type]


@pytest.fixture(params=["https://shop.example, http://localhost:3000", "*"], ids=["named", "any"])
def app(request: pytest.FixtureRequest) -> FastAPI:
    return application(request.param)


@pytest.mark.parametrize("path", ["/shown", "/broken", "/nowhere", "/checkout", "/openapi.json"])
async def test_head_is_get(path: str) -> None:
    get, head = [await ask(application(""), method, path) for method in ("GET", "HEAD")]
    assert (head.status_code, head.headers) == (get.status_code, get.headers)


async def test_a_page_of_another_origin_may_ask_in_advance(app: FastAPI) -> None:
    answer = await ask(app, "OPTIONS", "/checkout", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE["Origin"])
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert set(PREFLIGHT["Access-Control-Request-Headers"].split(",")) <= set(allowed.split(","))


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/checkout", b"{}", 202),
        ("POST", "/checkout", b"{", 400),
        ("GET", "/nowhere", b"", 404),
        ("GET", "/checkout", b"", 405),
        ("GET", "/broken", b"", 500),
    ],
)
async def test_a_page_of_another_origin_may_read_every_answer(
    app: FastAPI, method: str, path: str, content: bytes, status: int
) -> None:
    headers = {**PAGE, "Content-Type": "application/json"}
    answer = await ask(app, method, path, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE["Origin"])
    assert {"Location", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize("origins", ["", "https://other.example"])
async def test_a_page_of_an_origin_that_is_not_named_may_not(origins: str) -> None:
    app = application(origins)
    for answer in (
        await ask(app, "OPTIONS", "/checkout", headers=PREFLIGHT),
        await ask(app, "GET", "/shown", headers=PAGE),
    ):
        assert "access-control-allow-origin" not in answer.headers
