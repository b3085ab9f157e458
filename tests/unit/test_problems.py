"""Whatever goes wrong is answered with a problem that says what."""

import gzip

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
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize(("path", "methods"), [("/sums", "POST, OPTIONS"), ("/failures", "GET, HEAD, OPTIONS")])
async def test_options_says_what_a_path_can_do(app: FastAPI, path: str, methods: str) -> None:
    answer = await ask(app, "OPTIONS", path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, methods, b"")


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


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", "Application/JSON ; charset=UTF-8")],
        [("content-type", "application/json;charset=ISO-8859-1")],
        [("content-type", "application/json"), ("content-type", "application/json")],
        [("content-type", "application/json"), ("content-encoding", "identity")],
        [("content-type", "application/json"), ("content-encoding", "")],
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["bare", "with a byte order mark"])
async def test_a_body_may_be_said_to_be_json_in_many_ways(
    app: FastAPI, mark: bytes, headers: list[tuple[str, str]]
) -> None:
    answer = await ask(app, "POST", "/sums", content=mark + b'{"numbers":[1,2]}', headers=headers)
    assert answer.json() == {"sum": 3}


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip", "x"])
async def test_an_encoded_body_is_refused_with_what_is_taken(app: FastAPI, encoding: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": encoding}
    answer = await ask(app, "POST", "/sums", content=gzip.compress(b'{"numbers":[1,2]}'), headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


async def test_two_content_types_that_differ_are_none(app: FastAPI) -> None:
    headers = [("content-type", "application/json"), ("content-type", "text/plain")]
    assert (await ask(app, "POST", "/sums", content=b"{}", headers=headers)).status_code == 415


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "latin-1"])
async def test_json_in_another_encoding_is_refused_with_the_right_one(app: FastAPI, encoding: str) -> None:
    headers = {"content-type": f"application/json; charset={encoding}"}
    answer = await ask(app, "POST", "/sums", content='{"numbers":[1],"ä":1}'.encode(encoding), headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (400, "the body is not JSON in UTF-8")


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('{"numbers":[1],"numbers":[2]}', "numbers"),
        ('{"numbers":[1],"number\\u0073":[2]}', "numbers"),
        ('{"numbers":[1],"more":[{"a":1,"b":2,"a":1}]}', "a"),
    ],
)
async def test_a_key_twice_in_an_object_is_refused_and_named(app: FastAPI, content: str, key: str) -> None:
    answer = await ask(app, "POST", "/sums", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (400, f'the body has the key "{key}" twice in one object')


@pytest.mark.parametrize("content", ['{"numbers":[1],"a":{"b":1},"c":{"b":1}}', '{"numbers":[1],"a":' + "9" * 50 + "}"])
async def test_what_is_only_like_a_key_twice_is_none(app: FastAPI, content: str) -> None:
    answer = await ask(app, "POST", "/sums", content=content, headers={"content-type": "application/json"})
    assert answer.json() == {"sum": 1}


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
