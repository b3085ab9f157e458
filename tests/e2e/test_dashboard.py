"""The dashboard, as a browser gets it."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.eventually import eventually
from tests.support.stack import PAYMENT, frozen

SUCCESS = {"forcePaymentFail": False, "forceInventoryFail": False}
STOCK_FAILS = {"forcePaymentFail": False, "forceInventoryFail": True}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def checkout(http: httpx.AsyncClient, user: str, flags: dict[str, bool], **headers: str) -> str:
    body = {"userId": user, "totalAmount": 19.99, **flags}
    saga_id: str = (await http.post("/checkout", json=body, headers=headers)).json()["sagaId"]
    return saga_id


async def page(http: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await http.get(path, headers=BROWSER)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


def listed(text: str) -> list[str]:
    return re.findall(r'href="/dashboard/sagas/([0-9a-f-]{36})"', text)


async def test_the_first_page_begins_with_the_newest_saga_and_links_to_it(http: httpx.AsyncClient, user: str) -> None:
    older, newer = [await checkout(http, user, SUCCESS) for _ in range(2)]
    text = await page(http, "/")
    assert [saga for saga in listed(text) if saga in (older, newer)] == [newer, older]
    assert user in text
    assert "data-live" in text
    assert newer in await page(http, f"/dashboard/sagas/{newer}")


async def test_the_filters_show_what_they_say(http: httpx.AsyncClient, user: str) -> None:
    completed, failed = await checkout(http, user, SUCCESS), await checkout(http, user, STOCK_FAILS)
    shown = {
        show: set(listed(await page(http, f"/?show={show}"))) for show in ("ALL", "RUNNING", "COMPLETED", "FAILED")
    }
    assert {completed, failed} <= shown["ALL"]
    assert {show for show, sagas in shown.items() if completed in sagas} == {"ALL", "COMPLETED"}
    assert {show for show, sagas in shown.items() if failed in sagas} == {"ALL", "FAILED"}


async def test_the_pages_lead_to_the_oldest_saga_and_show_each_once(http: httpx.AsyncClient, user: str) -> None:
    mine = [await checkout(http, user, SUCCESS) for _ in range(60)]
    found: list[str] = []
    path = "/"
    while path:
        text = await page(http, path)
        found += listed(text)
        onward = re.search(r'rel="next" href="([^"]+)"', text)
        path = onward[1].replace("&amp;", "&") if onward else ""
    assert [saga for saga in found if saga in mine] == mine[::-1]
    assert len(found) == len(set(found))


async def test_a_saga_s_page_draws_its_log_and_shows_it_as_a_table(http: httpx.AsyncClient, user: str) -> None:
    saga_id = await checkout(http, user, STOCK_FAILS)
    text = await page(http, f"/dashboard/sagas/{saga_id}")
    events = (await http.get(f"/sagas/{saga_id}")).json()["events"]
    assert text.count("<title>") == len(events) + 1
    assert [e["messageId"] for e in events if e["messageId"] not in text] == []
    assert "Ended at INVENTORY_FAILED: OUT_OF_STOCK." in text
    assert text.count('<g class="undo">') == 4
    assert "data-live" not in text.partition("<script>")[0]


async def test_a_saga_that_runs_says_what_it_waits_for_and_is_live_until_it_ends(
    http: httpx.AsyncClient, user: str
) -> None:
    async with frozen(PAYMENT):
        saga_id = await checkout(http, user, SUCCESS, Prefer="respond-async")

        async def waits() -> None:
            text = await page(http, f"/dashboard/sagas/{saga_id}")
            assert "Waits for the answer to ChargePayment." in text
            assert "1 of 5" in text
            assert "data-live" in text.partition("<script>")[0]

        await eventually(waits)
        assert saga_id in listed(await page(http, "/?show=RUNNING"))

    async def ended() -> None:
        text = await page(http, f"/dashboard/sagas/{saga_id}")
        assert "Ended at ORDER_CONFIRMED." in text
        assert "data-live" not in text.partition("<script>")[0]

    await eventually(ended)


async def test_what_a_customer_calls_herself_stays_text(http: httpx.AsyncClient, user: str) -> None:
    name = f"<img src=x onerror=alert(1)>{user}</script>{{{{7*7}}}}"
    saga_id = await checkout(http, name, SUCCESS)
    for path in ("/", f"/dashboard/sagas/{saga_id}"):
        text = await page(http, path)
        assert "<img" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
        assert "{{7*7}}" in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/dashboard/sagas/{uuid4()}", 404),
        (f"/?before={uuid4()}", 404),
        ("/dashboard/sagas/x", 422),
        ("/?before=x", 422),
        ("/?show=<b>", 422),
    ],
)
async def test_what_is_not_there_or_not_an_id_is_a_page_that_says_so(
    path: str, status: int, http: httpx.AsyncClient
) -> None:
    text = await page(http, path, status)
    assert str(status) in text
    assert "<b>" not in text


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}, BROWSER], ids=["any", "json", "browser"])
async def test_a_saga_as_json_is_the_same_for_everybody(
    headers: dict[str, Any], http: httpx.AsyncClient, user: str
) -> None:
    saga_id = await checkout(http, user, SUCCESS)
    answer = await http.get(f"/sagas/{saga_id}", headers=headers)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["sagaId"] == saga_id


async def test_the_pages_are_not_part_of_the_api(http: httpx.AsyncClient) -> None:
    assert not {"/", "/dashboard/sagas/{saga_id}"} & set((await http.get("/openapi.json")).json()["paths"])
