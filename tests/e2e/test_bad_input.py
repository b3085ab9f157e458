"""Whatever is sent, the answer is a problem in the 4xx range, no row is written and no internals are shown."""

import gzip
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from tests.support.databases import Databases, nothing_written
from tests.support.stack import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, Service

NOBODY = "00000000-0000-4000-8000-000000000000"
JSON = {"Content-Type": "application/json"}
CHECKOUT = ORCHESTRATOR.url + "/checkout"
ORDERS = ORDER.url + "/orders"

BAD_USERS = ["null", "7", "true", '["u1"]', "{}", '""', f'"{"x" * 201}"', r'"a\u0000b"', r'"a\nb"', r'"\ud800"']
BAD_AMOUNTS = [
    *('"500"', '"abc"', "null", "true", "[500]", "{}", '""'),
    *("0", "-0.0", "-1", "-0.01", "1.005", "0.001", "1e-3", "10000000000", "12345678901234567890", "1e300"),
]
NOT_EVEN_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000, "0x1F", "1_000", "01"]
BAD_FLAGS = ['"true"', '"yes"', '""', "1", "0", "0.5", "[]", "{}"]
BROKEN = {
    "nothing": b"",
    "half an object": b'{"userId": "u1", "totalAmount": 500',
    "two objects": b'{"userId": "u1", "totalAmount": 500}{}',
    "single quotes": b"{'userId': 'u1', 'totalAmount': 500}",
    "invalid UTF-8": b'{"userId": "\xff\xfe", "totalAmount": 500}',
    "UTF-16": '{"userId": "u1", "totalAmount": 500}'.encode("utf-16"),
    "random bytes": bytes(range(256)),
    "a nest of 20,000": b"[" * 20_000,
}
NOT_OBJECTS = [b"[]", b"null", b"7", b'"checkout"', b"true", b'[{"userId": "u1", "totalAmount": 500}]', b"{}"]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield http


@pytest.fixture(autouse=True)
async def _nothing_is_written(databases: Databases) -> AsyncIterator[None]:
    async with nothing_written(databases):
        yield


def assert_problem(answer: httpx.Response, *codes: int) -> None:
    assert answer.status_code in codes, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail"} <= set(problem)
    assert problem["status"] == answer.status_code
    assert answer.status_code != 422 or problem["errors"], "nothing says which field is wrong"
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text


def fields() -> dict[str, str]:
    """The required fields, as JSON texts."""
    return {"userId": f'"user-{uuid4()}"', "totalAmount": "500"}


def body(values: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"


both = pytest.mark.parametrize("url", [CHECKOUT, ORDERS], ids=["checkout", "orders"])


@both
@pytest.mark.parametrize("missing", ["userId", "totalAmount"])
async def test_a_missing_field_is_named(url: str, missing: str, http: httpx.AsyncClient) -> None:
    values = {name: value for name, value in fields().items() if name != missing}
    answer = await http.post(url, content=body(values), headers=JSON)

    assert_problem(answer, 422)
    assert missing in answer.text


@both
@pytest.mark.parametrize("value", BAD_USERS, ids=lambda value: value[:20])
async def test_a_bad_user_id_is_refused(url: str, value: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(url, content=body({**fields(), "userId": value}), headers=JSON)

    assert_problem(answer, 400 if "ud800" in value else 422, 422)


@both
@pytest.mark.parametrize("value", BAD_AMOUNTS)
async def test_a_bad_amount_is_refused(url: str, value: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(url, content=body({**fields(), "totalAmount": value}), headers=JSON)

    assert_problem(answer, 422)
    assert "totalAmount" in answer.text


@both
@pytest.mark.parametrize("value", NOT_EVEN_NUMBERS, ids=lambda value: value[:20])
async def test_an_amount_that_json_cannot_say_is_refused(url: str, value: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(url, content=body({**fields(), "totalAmount": value}), headers=JSON)

    assert_problem(answer, 400, 422)


@pytest.mark.parametrize("flag", ["forcePaymentFail", "forceInventoryFail"])
@pytest.mark.parametrize("value", BAD_FLAGS)
async def test_a_flag_is_true_or_false_and_nothing_like_it(flag: str, value: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(CHECKOUT, content=body({**fields(), flag: value}), headers=JSON)

    assert_problem(answer, 422)
    assert flag in answer.text


@both
@pytest.mark.parametrize("name", BROKEN)
async def test_a_body_that_is_not_json_is_refused(url: str, name: str, http: httpx.AsyncClient) -> None:
    assert_problem(await http.post(url, content=BROKEN[name], headers=JSON), 400)


@both
@pytest.mark.parametrize("content", NOT_OBJECTS)
async def test_json_of_another_shape_is_refused(url: str, content: bytes, http: httpx.AsyncClient) -> None:
    assert_problem(await http.post(url, content=content, headers=JSON), 422)


@both
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml"])
async def test_another_content_type_is_refused(url: str, content_type: str | None, http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    assert_problem(await http.post(url, content=body(fields()), headers=headers), 415)


@both
async def test_an_encoded_body_is_refused(url: str, http: httpx.AsyncClient) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}

    assert_problem(await http.post(url, content=gzip.compress(body(fields()).encode()), headers=headers), 415)


@both
async def test_an_amount_that_is_given_twice_is_refused(url: str, http: httpx.AsyncClient) -> None:
    content = body({"totalAmount": "1", **fields()}).replace("{", '{"totalAmount": 1, ', 1)
    answer = await http.post(url, content=content, headers=JSON)

    assert_problem(answer, 400)
    assert "totalAmount" in answer.json()["detail"]


@both
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with its length"])
async def test_a_body_of_two_megabytes_is_refused(url: str, chunked: bool, http: httpx.AsyncClient) -> None:
    content = body({**fields(), "note": f'"{"x" * 2_000_000}"'}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 50_000):
            yield content[start : start + 50_000]

    assert_problem(await http.post(url, content=chunks() if chunked else content, headers=JSON), 413)


@pytest.mark.parametrize(
    "path",
    [
        ORCHESTRATOR.url + "/sagas/{}",
        ORDER.url + "/orders/{}",
        PAYMENT.url + "/payments/{}",
        INVENTORY.url + "/reservations/{}",
    ],
)
@pytest.mark.parametrize("unknown", [NOBODY, "1", "not-a-uuid", "%00", "..%2F..", "' or 1=1 --"])
async def test_what_does_not_exist_is_not_found(path: str, unknown: str, http: httpx.AsyncClient) -> None:
    codes = (404,) if unknown == NOBODY else (404, 422)

    assert_problem(await http.get(path.format(unknown)), *codes)


@pytest.mark.parametrize("service", [ORCHESTRATOR, ORDER, PAYMENT, INVENTORY], ids=str)
async def test_a_path_that_leads_nowhere_is_not_found(service: Service, http: httpx.AsyncClient) -> None:
    assert_problem(await http.get(f"{service.url}/nowhere"), 404)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", CHECKOUT),
        ("PUT", CHECKOUT),
        ("DELETE", ORDERS),
        ("POST", f"{ORCHESTRATOR.url}/sagas/{NOBODY}"),
        ("PUT", f"{ORDERS}/{NOBODY}/status"),
        ("DELETE", f"{PAYMENT.url}/payments/{NOBODY}"),
        ("POST", f"{INVENTORY.url}/reservations/{NOBODY}"),
    ],
)
async def test_a_wrong_method_is_refused_and_the_right_one_named(
    method: str, url: str, http: httpx.AsyncClient
) -> None:
    answer = await http.request(method, url)

    assert_problem(answer, 405)
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    "change",
    [
        *('{"status": "PENDING"}', '{"status": "SHIPPED"}', '{"status": "confirmed"}', '{"status": ""}'),
        *('{"status": null}', '{"status": 1}', '{"status": ["CANCELLED"]}', "{}", "[]"),
        '{"status": "CANCELLED", "userId": "", "totalAmount": 500}',
        '{"status": "CANCELLED", "userId": "u1", "totalAmount": 0}',
        r'{"status": "CANCELLED", "userId": "a\u0000b", "totalAmount": 500}',
        '{"status": "CANCELLED", "userId": "u1", "totalAmount": "500"}',
    ],
)
async def test_a_bad_change_of_status_is_refused(change: str, http: httpx.AsyncClient) -> None:
    assert_problem(await http.patch(f"{ORDERS}/{NOBODY}/status", content=change, headers=JSON), 422)


@pytest.mark.parametrize("order_id", ["not-a-uuid", "%00"])
async def test_a_change_of_status_of_an_impossible_order_is_refused(order_id: str, http: httpx.AsyncClient) -> None:
    assert_problem(await http.patch(f"{ORDERS}/{order_id}/status", json={"status": "CANCELLED"}), 404, 422)


@pytest.mark.parametrize("order_id", ['"not-a-uuid"', "7", '""', "[]"])
async def test_an_order_cannot_be_created_under_an_impossible_id(order_id: str, http: httpx.AsyncClient) -> None:
    assert_problem(await http.post(ORDERS, content=body({**fields(), "orderId": order_id}), headers=JSON), 422)
