"""What a connection may send, how long that may take, and what strangers' clients send: over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import pytest
from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY
from pydantic import BaseModel
from uvicorn.config import Config
from uvicorn.server import ServerState

from chassis import problems
from chassis.bodies import parse
from chassis.connection import bounded
from chassis.edge import Application
from chassis.http import json_response
from chassis.settings import Settings
from tests.support.eventually import eventually
from tests.support.sockets import connected, exchange, request, statuses

SMALL = {
    "http_max_head_bytes": 2_000,
    "http_receive_seconds": 0.4,
    "http_linger_seconds": 0.2,
    "http_max_connections": 3,
    "max_body_bytes": 1_000,
}
JSON = "Content-Type: application/json"
HEAD = b"POST /sums HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
SUM = b'{"numbers":[1,2]}'
UPGRADES = ["h2c", "TLS/1.0", "websocket", "h2c, websocket"]
JAVA = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA")


class Numbers(BaseModel):
    numbers: list[int]


class Held:
    """A gate in front of the answers to GET /held."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = 0

    async def __call__(self) -> Response:
        self.inside += 1
        await self.open.wait()
        return json_response("open")

    async def holds(self, number: int) -> None:
        """Wait until so many are inside."""

        async def check() -> None:
            assert self.inside == number

        await eventually(check)


async def add_up(request: Request) -> Response:
    return json_response({"sum": sum((await parse(request, Numbers)).numbers)})


async def big() -> Response:
    return Response(b"x" * 20_000_000)


async def headers_of(request: Request) -> Response:
    await request.body()
    return json_response(sorted(request.headers.keys()))


async def alive() -> Response:
    return json_response("alive")


def application(settings: Settings) -> tuple[FastAPI, Held]:
    app, held = Application(settings), Held()
    app.state.max_body_bytes = settings.max_body_bytes
    problems.install(app)
    app.post("/sums")(add_up)
    app.post("/headers")(headers_of)
    app.get("/held")(held.__call__)
    app.get("/big")(big)
    app.get("/healthz")(alive)
    return app, held


def cut(why: str) -> float:
    """How many connections were."""
    return REGISTRY.get_sample_value("http_cut_connections_total", {"why": why}) or 0


Server: TypeAlias = tuple[str, Held]


@asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[Server]:
    """A server with these limits, and its address."""
    settings = Settings(service="test", port=1, pgport=1, pguser="u", pgpassword="p", pgdatabase="d", **limits)  # type: ignore[arg-type]
    app, held = application(settings)
    config = Config(app, log_config=None, timeout_keep_alive=1)
    protocol, state = bounded(settings), ServerState()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", held
        held.open.set()
        await asyncio.gather(*state.tasks)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(**SMALL) as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    return server[0]


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
@pytest.mark.parametrize("token", UPGRADES)
async def test_an_offer_to_upgrade_is_answered_as_if_it_were_not_there(url: str, token: str, chunked: bool) -> None:
    offered = request("POST /sums", JSON, f"Upgrade: {token}", *JAVA, body=SUM, chunked=chunked)
    async with connected(url) as connection:
        await connection.send(offered + offered + request("POST /sums", JSON, body=SUM))
        answers = [await connection.answer() for _ in range(3)]
    assert [(each.status, each.body) for each in answers] == [(200, b'{"sum":3}')] * 3


async def test_an_offer_to_upgrade_may_come_in_pieces(url: str) -> None:
    async with connected(url) as connection:
        for byte in request("POST /sums", JSON, "UPGRADE: h2c", "connection: upgrade", body=SUM):
            await connection.send(bytes([byte]))
        assert (await connection.answer()).body == b'{"sum":3}'


async def test_a_web_socket_is_answered_as_a_get(url: str) -> None:
    handshake = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
    assert (await exchange(url, request("GET /healthz", *handshake))).status == 200
    assert (await exchange(url, request("GET /nowhere", *handshake))).status == 404


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 3_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: x\r\n" * 1_000, 431),
        (b"GET /" + b"x" * 3_000 + b" HTTP/1.1\r\n\r\n", 431),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
        (HEAD + b"Content-Length: +3\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: identity\r\n\r\n", 400),
        (HEAD + b"Content-Length : 3\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT there:443 HTTP/1.1\r\nHost: there:443\r\n\r\n", 501),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else None,
)
async def test_a_head_that_is_too_long_or_not_http_is_a_problem_and_ends_the_connection(
    url: str, head: bytes, status: int
) -> None:
    async with connected(url) as connection:
        await connection.send(head)
        answer = await connection.answer()
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
        assert await connection.rest() == b""


@pytest.mark.parametrize("packets", [1, 50], ids=["at once", "in pieces"])
async def test_a_head_may_be_as_long_as_the_setting_says(url: str, packets: int) -> None:
    whole = request("GET /healthz", "A: " + "x" * 1_900)
    size = len(whole) // packets + 1
    async with connected(url) as connection:
        for start in range(0, len(whole), size):
            await connection.send(whole[start : start + size])
            await asyncio.sleep(0)
        assert (await connection.answer()).status == 200


async def test_a_head_without_end_is_answered_while_its_client_still_sends(url: str) -> None:
    async with connected(url) as connection:
        await connection.send(b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000_000)
        assert (await connection.answer()).status == 431


@pytest.mark.parametrize(
    ("begun", "answered"),
    [
        (b"", []),
        (b"\r\n\r\n", []),
        (b"GET /heal", [408]),
        (HEAD, [408]),
        (HEAD + b"Content-Length: 17\r\n\r\n" + SUM[:5], [408]),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + SUM[:5], [408]),
        (HEAD.replace(b"json", b"xml") + b"Content-Length: 17\r\n\r\n" + SUM[:5], [415]),
        (request("POST /sums", JSON, body=SUM) + b"\r\n", [200]),
        (request("POST /sums", JSON, body=SUM) + b"GET /heal", [200, 408]),
    ],
    ids=[
        *("nothing", "empty lines", "half a line", "half a head", "half a body", "half a chunk"),
        *("half a body that was refused", "an empty line after a request", "half a request after another"),
    ],
)
async def test_what_does_not_go_on_is_given_up(url: str, begun: bytes, answered: list[int]) -> None:
    async with connected(url) as connection:
        await connection.send(begun)
        assert statuses(await connection.rest()) == answered


@pytest.mark.parametrize("line", [b"\r\n", b"A: x\r\n"], ids=["empty lines", "one header after another"])
async def test_a_trickle_does_not_buy_time(url: str, line: bytes) -> None:
    async with connected(url) as connection:
        if line != b"\r\n":
            await connection.send(HEAD)

        async def trickle() -> None:
            while True:
                await connection.send(line)
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(trickle())
        try:
            await connection.rest()
        except ConnectionResetError:
            pass
        finally:
            sending.cancel()


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "endless",
    [b"1;" + b"x" * 99, b"11\r\n" + SUM + b"\r\n0\r\n" + b"T: x\r\n" * 20, b"11\r\n" + SUM + b"\r\n0\r\nT: "],
    ids=["an extension of a chunk", "trailers", "a trailer"],
)
async def test_what_surrounds_a_body_in_chunks_is_no_longer_than_it_may_be(url: str, endless: bytes) -> None:
    async with connected(url) as connection:
        await connection.send(CHUNKED + endless + endless[-6:] * 100_000)
        assert (await connection.answer()).status == 413


async def test_what_follows_a_body_in_chunks_is_no_header(url: str) -> None:
    head = b"POST /headers HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with connected(url) as connection:
        await connection.send(head)
        await connection.send(b"1\r\nx\r\n0\r\nIdempotency-Key: late\r\n\r\n")
        assert (await connection.answer()).body == b'["host","transfer-encoding"]'


async def test_a_body_cut_into_single_bytes_is_read(url: str) -> None:
    body = b'{"numbers":[%b]}' % b",".join([b"1"] * 490)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    assert (await exchange(url, CHUNKED + chunks)).body == b'{"sum":490}'


async def test_a_body_that_is_waited_for_is_asked_for(url: str) -> None:
    async with connected(url) as connection:
        await connection.send(HEAD + b"Content-Length: 17\r\nExpect: 100-continue\r\n\r\n")
        assert (await connection.answer()).status == 100
        await connection.send(SUM)
        assert (await connection.answer()).body == b'{"sum":3}'


async def test_a_client_that_ends_its_side_still_hears_the_answer(server: Server) -> None:
    url, held = server
    async with connected(url) as connection:
        await connection.send(request("GET /held"))
        connection.writer.write_eof()
        await held.holds(1)
        held.open.set()
        assert statuses(await connection.rest()) == [200]


async def test_an_answer_that_is_not_read_is_given_up(url: str) -> None:
    before = cut("answer not read")
    async with connected(url) as connection:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await connection.send(request("GET /big"))

        async def is_cut() -> None:
            assert cut("answer not read") == before + 1

        await eventually(is_cut)


async def test_what_was_asked_before_a_broken_request_is_answered_and_nothing_else(server: Server) -> None:
    url, held = server
    async with connected(url) as connection:
        await connection.send(request("GET /held") + request("POST /sums", JSON, body=SUM) + b"nonsense\r\n\r\n")
        await held.holds(1)
        held.open.set()
        assert statuses(await connection.rest()) == [200, 200]


@pytest.mark.parametrize("silent", [b"", b"GET /heal", HEAD + b"Content-Length: 17\r\n\r\n"])
async def test_silent_connections_keep_nobody_out(silent: bytes) -> None:
    async with serving(**SMALL | {"http_receive_seconds": 60}) as (url, _), AsyncExitStack() as stack:
        for _ in range(10):
            connection = await stack.enter_async_context(connected(url))
            await connection.send(silent)
        assert (await exchange(url, request("POST /sums", JSON, body=SUM))).status == 200


async def test_who_is_one_too_many_is_told_so_and_healthz_answers(server: Server) -> None:
    url, held = server
    async with AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(connected(url)) for _ in range(3)]
        for connection in busy:
            await connection.send(request("GET /held"))
        await held.holds(3)

        answer = await exchange(url, request("POST /sums", JSON, body=SUM))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert (await exchange(url, request("GET /healthz"))).status == 200
        held.open.set()
        assert [(await connection.answer()).status for connection in busy] == [200] * 3
        assert (await exchange(url, request("POST /sums", JSON, body=SUM))).status == 200
