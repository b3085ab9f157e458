"""Whatever goes wrong is answered with a problem that says what."""

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.types import Message
from structlog.testing import capture_logs

from chassis import problems
from chassis.bodies import parse
from chassis.errors import Overloaded
from chassis.http import json_response

MOST_BYTES = 100
ERRORS = {"overloaded": Overloaded("full"), "away": asyncpg.InterfaceError("closed"), "bug": KeyError("why")}


class Numbers(BaseModel):
    numbers: list[int]


async def add_up(request: Request) -> Response:
    return json_response({"sum": sum((await parse(request, Numbers)).numbers)})


async def fail(request: Request) -> Response:
    raise ERRORS[request.query_params["how"]]


@pytest.fixture
def app() -> FastAPI:
    """It adds up, and fails in the way that it is told to."""
    app = FastAPI()
    app.state.max_body_bytes = MOST_BYTES
    problems.install(app)
    app.post("/sums")(add_up)
    app.get("/failures")(fail)
    app.post("/failures")(fail)
    return app


async def ask(app: FastAPI, method: str, path: str, **content: object) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        return await http.request(method, path, **content)  # type: ignore[arg-type]


async def test_a_good_body_is_no_problem(app: FastAPI) -> None:
    assert (await ask(app, "POST", "/sums", json={"numbers": [1, 2]})).json() == {"sum": 3}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_method_that_a_path_does_not_have_is_named(app: FastAPI, method: str) -> None:
    answer = await ask(app, method, "/sums")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_slash_too_many_leads_to_the_path_without_it(app: FastAPI) -> None:
    slash = await ask(app, "POST", "/sums/")
    assert (slash.status_code, slash.headers["location"]) == (307, "http://here/sums")


async def test_every_path_is_documented(app: FastAPI) -> None:
    assert {"/sums", "/failures"} <= set((await ask(app, "GET", "/openapi.json")).json()["paths"])


async def test_a_path_that_there_is_not_is_a_problem(app: FastAPI) -> None:
    answer = await ask(app, "POST", "/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"{}", 422), (b'{"numbers":[' + b"1," * 200 + b"1]}", 413)]
)
async def test_a_bad_body_is_a_problem(app: FastAPI, content: bytes, status: int) -> None:
    answer = await ask(app, "POST", "/sums", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(("how", "status"), [("overloaded", 503), ("away", 503), ("bug", 500)])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_error_is_a_problem(app: FastAPI, method: str, how: str, status: int) -> None:
    answer = await ask(app, method, f"/failures?how={how}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_error_of_ours(app: FastAPI) -> None:
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
