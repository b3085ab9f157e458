"""The three scenarios of the README, run against a running stack, with what each leaves in the four databases."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from local.instance import INVENTORY, ORCHESTRATOR, ORDER, PAYMENT, SERVICES, Instance, Service
from local.problem import IS_IT_UP, Problem

TABLES = {ORDER: "orders", PAYMENT: "payments", INVENTORY: "reservations", ORCHESTRATOR: "sagas"}
COLUMNS = {
    ORDER: "order_id, user_id, total_amount, status, created_at",
    PAYMENT: "order_id, saga_id, amount, status, created_at",
    INVENTORY: "order_id, saga_id, status, created_at",
    ORCHESTRATOR: "saga_id, order_id, status, step, created_at",
}
SETTLE_SECONDS = 20

Row = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """One checkout: the flags sent, and the answer and the rows that must follow."""

    title: str
    flags: dict[str, bool]
    answer: dict[str, object]
    rows: dict[Service, dict[str, str] | None]
    """What each database must then say of the order; None is no row."""

    @property
    def request(self) -> dict[str, object]:
        """The JSON body of POST /checkout."""
        return {"userId": "u1", "totalAmount": 500, **self.flags}


SCENARIOS = (
    Scenario(
        "A: the payment is refused",
        {"forcePaymentFail": True},
        {"code": 402, "status": "FAILED", "step": "PAYMENT_FAILED"},
        {
            ORDER: {"status": "CANCELLED"},
            PAYMENT: {"status": "FAILED"},
            INVENTORY: None,
            ORCHESTRATOR: {"status": "FAILED", "step": "PAYMENT_FAILED"},
        },
    ),
    Scenario(
        "B: the stock is refused, the payment is refunded",
        {"forcePaymentFail": False, "forceInventoryFail": True},
        {"code": 409, "status": "FAILED", "step": "INVENTORY_FAILED"},
        {
            ORDER: {"status": "CANCELLED"},
            PAYMENT: {"status": "REFUNDED"},
            INVENTORY: {"status": "FAILED"},
            ORCHESTRATOR: {"status": "FAILED", "step": "INVENTORY_FAILED"},
        },
    ),
    Scenario(
        "C: all goes well",
        {"forcePaymentFail": False, "forceInventoryFail": False},
        {"code": 200, "status": "COMPLETED", "step": "ORDER_CONFIRMED"},
        {
            ORDER: {"status": "CONFIRMED"},
            PAYMENT: {"status": "CHARGED"},
            INVENTORY: {"status": "RESERVED"},
            ORCHESTRATOR: {"status": "COMPLETED", "step": "ORDER_CONFIRMED"},
        },
    ),
)


def show(instance: Instance, console: Console) -> bool:
    """True if every scenario ended as it should."""
    wrong = [complaint for scenario in SCENARIOS for complaint in asyncio.run(_run(instance, scenario, console))]
    for complaint in wrong:
        console.print(f"[bold red]{complaint}[/]")
    if not wrong:
        console.print("[bold green]All three scenarios ended as they should.[/]")
    _show_where_to_look(instance, console)
    return not wrong


async def _run(instance: Instance, scenario: Scenario, console: Console) -> list[str]:
    answer = await _checkout(instance, scenario)
    rows = await _settled_rows(instance, scenario, UUID(answer["orderId"]))
    _show_outcome(scenario, answer, rows, console)
    return [
        *_disagreements(scenario, "the answer", answer, scenario.answer),
        *_wrong_rows(scenario, rows),
    ]


async def _checkout(instance: Instance, scenario: Scenario) -> Row:
    url = f"{instance.url(ORCHESTRATOR)}/checkout"
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            response = await client.post(url, json=scenario.request)
            answer = {"code": response.status_code, **response.json()}
    except (httpx.HTTPError, ValueError) as error:
        raise Problem(f"POST {url} did not work: {error!r}. {IS_IT_UP}") from None
    if "orderId" not in answer:
        raise Problem(f"POST {url} answered without an order: {answer}")
    return answer


async def _settled_rows(instance: Instance, scenario: Scenario, order_id: UUID) -> dict[Service, Row | None]:
    """The rows of the order, as soon as they are as promised, or as they are after a while."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        rows = {service: await _row(instance, service, order_id) for service in SERVICES}
        if not _wrong_rows(scenario, rows) or time.monotonic() > deadline:
            return rows
        await asyncio.sleep(0.1)


async def _row(instance: Instance, service: Service, order_id: UUID) -> Row | None:
    connection = await asyncpg.connect(**instance.login(service.database), timeout=5)
    try:
        question = f"select {COLUMNS[service]} from {TABLES[service]} where order_id = $1"
        record = await connection.fetchrow(question, order_id)
        return dict(record) if record else None
    finally:
        await connection.close()


def _wrong_rows(scenario: Scenario, rows: dict[Service, Row | None]) -> list[str]:
    return [
        complaint
        for service, promised in scenario.rows.items()
        for complaint in _disagreements(scenario, f"the row in {TABLES[service]}", rows[service], promised)
    ]


def _disagreements(scenario: Scenario, what: str, found: Row | None, promised: dict[str, Any] | None) -> list[str]:
    if found is None or promised is None:
        agree = found is None and promised is None
        return [] if agree else [f"{scenario.title}: {what} should {'not ' * (promised is None)}be there."]
    return [
        f"{scenario.title}: {what} has {name} {found.get(name)}, not {value}."
        for name, value in promised.items()
        if found.get(name) != value
    ]


def _show_outcome(scenario: Scenario, answer: Row, rows: dict[Service, Row | None], console: Console) -> None:
    body = {name: value for name, value in answer.items() if name != "code"}
    table = Table(show_header=False, show_lines=True, title=scenario.title, title_justify="left")
    table.add_row("sent", f"POST /checkout {json.dumps(scenario.request)}")
    table.add_row("answer", f"{answer['code']} {json.dumps(body)}")
    for service, row in rows.items():
        table.add_row(f"{service.database.name}\n{TABLES[service]}", _columns(row))
    console.print(table)


def _columns(row: Row | None) -> str:
    if row is None:
        return "no row"
    return "\n".join(f"{name:<13} {value}" for name, value in row.items())


def _show_where_to_look(instance: Instance, console: Console) -> None:
    console.print("\nLook further:")
    for service in SERVICES:
        console.print(f"{instance.url(service)}/docs")
    for service in SERVICES:
        console.print(f'{instance.psql(service.database)} -c "select * from {TABLES[service]}"')
    console.print(f"\nThese sagas in a browser, each with its log drawn: {instance.url(ORCHESTRATOR)}/")
    console.print("All of it goes on running: `make down` stops it, `make clean` also forgets what is stored.")
