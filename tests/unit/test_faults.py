"""Whose fault an error of the database is, and how often a trouble that lasts is said."""

from typing import cast

import asyncpg
import pytest
from structlog.testing import capture_logs

from chassis.database import Pool
from chassis.errors import CannotConnect, Unreadable
from chassis.faults import Fault, fault_of, reason_of
from chassis.settings import Settings
from chassis.trouble import Trouble

EVERYBODYS, LIKELY, UNCLEAR, OWN = Fault.EVERYBODYS, Fault.LIKELY_EVERYBODYS, Fault.UNCLEAR, Fault.OWN


def refused(sqlstate: str) -> asyncpg.PostgresError:
    """As a server says it."""
    error: asyncpg.PostgresError = asyncpg.PostgresError.new({"C": sqlstate, "M": "no"})
    return error


@pytest.mark.parametrize(
    ("fault", "sqlstates"),
    [
        (EVERYBODYS, "08006 25006 25P03 25P04 28000 28P01 3D000 3F000 40003 53100 53300 55P03 57P01 57P03 58030 F0000"),
        (LIKELY, "0A000 42501 42703 42883 42P01 54000 54023 55000 55006"),
        (UNCLEAR, "P0001 XX000 XX001 HV000 99999"),
        (OWN, "22001 22003 22021 22P02 23502 23505 23514 21000 44000"),
    ],
)
def test_the_class_of_an_error_says_whose_fault_it_most_likely_is(fault: Fault, sqlstates: str) -> None:
    assert {code: fault_of(refused(code)) for code in sqlstates.split()} == dict.fromkeys(sqlstates.split(), fault)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OSError("away"), EVERYBODYS),
        (TimeoutError(), EVERYBODYS),
        (CannotConnect("no"), EVERYBODYS),
        (asyncpg.InterfaceError("closed"), EVERYBODYS),
        (KeyError("a bug"), OWN),
        (Unreadable("a row"), OWN),
    ],
)
def test_what_is_no_answer_of_the_server_is_everybodys_and_what_is_not_the_databases_is_its_own(
    error: Exception, fault: Fault
) -> None:
    assert fault_of(error) is fault


def test_a_reason_is_one_line_with_its_sqlstate() -> None:
    assert reason_of(refused("42P01")) == "no (42P01)"
    assert reason_of(TimeoutError()) == "TimeoutError"
    assert reason_of(OSError("a\nb")) == "OSError: a"
    assert reason_of(CannotConnect("cannot log in")) == "cannot log in"


async def test_a_trouble_is_said_when_it_begins_and_changes_and_is_over_and_not_at_every_try() -> None:
    settings = Settings(service="test", port=0, pgport=0, pguser="u", pgpassword="p", pgdatabase="d")
    trouble = Trouble(cast(Pool, None), settings, "messages")
    with capture_logs() as log:
        for error in (OSError("a"), OSError("a"), TimeoutError(), OSError("a"), TimeoutError()):
            await trouble.met(error)
        assert trouble.reason == "TimeoutError"
        trouble.over()
        trouble.over()
    said = [(line["log_level"], line["reason"]) for line in log]
    assert said == [("error", "OSError: a"), ("error", "TimeoutError"), ("warning", "TimeoutError")]
    assert trouble.reason is None
