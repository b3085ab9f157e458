"""Headers as clients and proxies write them: repeated, in another case, with zeros and blanks."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.sockets import connected, exchange, request
from tests.support.stack import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, SERVICES, Service

FORCED = {"forcePaymentFail": False, "forceInventoryFail": False}


@pytest.fixture
def body(user: str) -> dict[str, Any]:
    return {"userId": user, "totalAmount": 500, **FORCED}


@pytest.mark.parametrize("preferences", [["wait=5", "respond-async"], ["Respond-Async"], ["wait=5, respond-async;x=1"]])
async def test_a_preference_is_found_among_others(
    preferences: list[str], http: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await http.post("/checkout", json=body, headers=[("Prefer", each) for each in preferences])
    assert answer.status_code == 202


async def test_what_only_looks_like_a_preference_is_none(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post("/checkout", json=body, headers={"Prefer": "not-respond-async"})
    assert answer.status_code == 200


@pytest.mark.parametrize(("path", "service"), [("/checkout", ORCHESTRATOR), ("/orders", ORDER)])
@pytest.mark.parametrize("length", ["0000{}", "{} ", "0" * 5000 + "{}"], ids=["zeros", "blank", "very many zeros"])
async def test_a_length_may_be_written_in_many_ways(
    path: str, service: Service, length: str, body: dict[str, Any]
) -> None:
    content = json.dumps(body if service is ORCHESTRATOR else {k: body[k] for k in ("userId", "totalAmount")}).encode()
    address = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {length.format(len(content))}\r\n\r\n".encode() + content)
    status = (await reader.read()).split()[1]
    writer.close()
    assert status in (b"200", b"201")


@pytest.mark.parametrize("service", SERVICES, ids=str)
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/nowhere"])
async def test_every_service_may_be_asked_for_the_head_alone(
    path: str, service: Service, http: httpx.AsyncClient
) -> None:
    await same_but_for_the_body(http, service.url + path)


async def test_what_became_of_a_checkout_may_be_asked_for_the_head_alone(
    http: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    saga = (await http.post("/checkout", json=body)).json()
    of_the_saga = [f"{ORCHESTRATOR.url}/{path}{saga['sagaId']}" for path in ("sagas/", "dashboard/sagas/")]
    of_the_order = [ORDER.url + "/orders/", PAYMENT.url + "/payments/", INVENTORY.url + "/reservations/"]
    for url in (ORCHESTRATOR.url + "/", *of_the_saga, *(url + saga["orderId"] for url in of_the_order)):
        await same_but_for_the_body(http, url)


async def same_but_for_the_body(http: httpx.AsyncClient, url: str) -> None:
    """HEAD and GET."""
    get, head = await http.get(url), await http.head(url)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("url", "wanted", "statuses"),
    [(ORCHESTRATOR.url + "/checkout", FORCED, [200, 200]), (ORDER.url + "/orders", {}, [201, 201])],
    ids=["checkout", "orders"],
)
@pytest.mark.parametrize("token", ["h2c", "websocket"])
async def test_a_client_that_offers_another_protocol_is_answered_in_this_one(
    url: str, wanted: dict[str, Any], statuses: list[int], token: str, user: str
) -> None:
    offered = ("Content-Type: application/json", f"Upgrade: {token}", "Connection: Upgrade, HTTP2-Settings")
    content = json.dumps({"userId": user, "totalAmount": 5, **wanted}).encode()
    async with connected(url) as connection:
        for chunked in (False, True):
            await connection.send(request(f"POST {urlsplit(url).path}", *offered, body=content, chunked=chunked))
        assert [(await connection.answer()).status for _ in statuses] == statuses


async def test_a_line_for_an_absolute_address_is_read(http: httpx.AsyncClient) -> None:
    assert (await exchange(ORCHESTRATOR.url, request(f"GET {ORCHESTRATOR.url}/healthz"))).status == 200


async def test_heads_of_any_length_stop_nobody(http: httpx.AsyncClient) -> None:
    async with AsyncExitStack() as stack:
        long = [await stack.enter_async_context(connected(ORCHESTRATOR.url)) for _ in range(4)]
        for connection in long:
            connection.writer.write(b"GET /healthz HTTP/1.1\r\nA: " + b"x" * 20_000_000)
        assert (await http.get("/healthz")).status_code == 200
        assert [(await connection.answer()).status for connection in long] == [431] * 4
