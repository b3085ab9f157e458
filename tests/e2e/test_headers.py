"""Headers as clients and proxies write them: repeated, in another case, with zeros and blanks."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.stack import ORCHESTRATOR, ORDER, SERVICES, Service

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
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_load_balancer_may_ask_for_the_head_alone(path: str, service: Service, http: httpx.AsyncClient) -> None:
    answer = await http.head(service.url + path)
    assert (answer.status_code, answer.content) == (200, b"")
