"""The command line: its exit codes and its JSON."""

import json
import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec

import pytest

from tests.audit.seeded import Books
from tests.support.stack import ROOT

SERVICES = ("SAGA_ORCHESTRATOR", "ORDER_SERVICE", "PAYMENT_SERVICE", "INVENTORY_SERVICE")
ONLY = ("--only", "I2,I3", "--settle-seconds", "0.1")


async def run(books: Books, *arguments: str, **environment: str) -> tuple[int | None, str]:
    """Exit code and output of `python -m audit` about these databases."""
    where = {f"{name}_PGDATABASE": a.database for name, a in zip(SERVICES, books.addresses, strict=True)}
    command = (sys.executable, "-m", "audit", *ONLY, *arguments)
    process = await create_subprocess_exec(*command, cwd=ROOT, env=os.environ | where | environment, stdout=PIPE)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_it_exits_0_and_1_as_the_databases_agree_or_not(books: Books) -> None:
    code, output = await run(books, "--json")
    assert code == 0
    assert [found["violations"] for found in json.loads(output)["invariants"]] == [0, 0]

    saga, order = await books.ids(5)
    await books.payment("update payments set amount = 1 where order_id = $1", order)
    code, output = await run(books, "--json")
    money, stock = json.loads(output)["invariants"]
    assert (code, money["violations"], stock["violations"]) == (1, 1, 0)
    assert (money["findings"][0]["sagaId"], money["findings"][0]["orderId"]) == (str(saga), str(order))

    code, output = await run(books)
    assert code == 1
    assert f"saga {saga}, order {order}" in output


@pytest.mark.parametrize("name", SERVICES)
async def test_it_exits_2_when_a_database_cannot_be_read(books: Books, name: str) -> None:
    assert await run(books, **{f"{name}_PGHOST": "127.0.0.9"}) == (2, "")
