"""The routes in front of FastAPI answer as FastAPI would, and leave all else to it."""

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.types import Message
from structlog.testing import capture_logs

from chassis import problems
from chassis.errors import Overloaded
from chassis.hot import HotRoutes
from chassis.problems import json_response, parse

MOST_BYTES = 100
ERRORS = {"overloaded": Overloaded("full"), "away": asyncpg.InterfaceError("closed"), "bug": KeyError("why")}


class Numbers(BaseModel):
    numbers: list[int]


async def add_up(request: Request) -> Response:
    return json_response({"sum": sum((await parse(request, Numbers)).numbers)})


async def fail(request: Request) -> Response:
    raise ERRORS[request.query_params["how"]]


@pytest.fixture
def app() -> HotRoutes:
    """Two routes, each known to both as in the services; `/cold` only to FastAPI."""
    inner = FastAPI()
    inner.state.max_body_bytes = MOST_BYTES
    problems.install(inner)
    hot = HotRoutes(inner)
    inner.post("/sums")(add_up)
    inner.post("/failures")(fail)
    inner.get("/cold")(fail)
    hot.add("POST", "/sums", add_up)
    hot.add("POST", "/failures", fail)
    return hot


async def ask(app: HotRoutes, method: str, path: str, **content: object) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        return await http.request(method, path, **content)  # type: ignore[arg-type]


async def test_a_hot_route_gets_the_body(app: HotRoutes) -> None:
    assert (await ask(app, "POST", "/sums", json={"numbers": [1, 2]})).json() == {"sum": 3}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_method_that_a_hot_path_does_not_have_is_named(app: HotRoutes, method: str) -> None:
    answer = await ask(app, method, "/sums")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_what_does_not_match_exactly_is_left_to_fastapi(app: HotRoutes) -> None:
    slash = await ask(app, "POST", "/sums/")
    assert (slash.status_code, slash.headers["location"]) == (307, "http://here/sums")
    assert (await ask(app, "POST", "/nowhere")).status_code == 404
    assert {"/sums", "/cold"} <= set((await ask(app, "GET", "/openapi.json")).json()["paths"])


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"{}", 422), (b'{"numbers":[' + b"1," * 200 + b"1]}", 413)]
)
async def test_a_bad_body_is_a_problem(app: HotRoutes, content: bytes, status: int) -> None:
    answer = await ask(app, "POST", "/sums", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), [("POST", "/failures"), ("GET", "/cold")])
@pytest.mark.parametrize(("how", "status"), [("overloaded", 503), ("away", 503), ("bug", 500)])
async def test_an_error_is_the_same_problem_on_either_side(
    app: HotRoutes, method: str, path: str, how: str, status: int
) -> None:
    answer = await ask(app, method, f"{path}?how={how}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_error_of_ours(app: HotRoutes) -> None:
    arrived: list[Message] = [
        {"type": "http.request", "body": b'{"numbers"', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return arrived.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/sums",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    with capture_logs() as logs:
        await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
