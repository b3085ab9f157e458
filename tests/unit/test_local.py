"""The stack without Docker on a machine whose owner has set this and that."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local import configuration, footing, instance, services
from local.instance import ORDER, ROOT, Instance, python
from local.ports import require_own
from local.problem import Problem
from local.program import Program
from local.stack import _all_ready, _make_folders
from local.supervisor import Supervisor, stands_still
from tests.support.eventually import eventually

HERE = Instance("unit", 29000)
VARIABLES = ORDER.database.variables


@pytest.fixture(autouse=True)
def _nothing_of_mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(instance, "STATE", tmp_path)
    for name in footing.OWN:
        monkeypatch.delenv(name, raising=False)


def ended(*command: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr


def made(show: str, *arguments: str, **environment: str) -> str:
    """What a recipe of the Makefile sees."""
    return ended("make", "--eval", f"shown:; @{show}", "shown", *arguments, **environment)[1].strip()


def test_a_wrong_setting_is_said_before_anything_starts() -> None:
    code, said = ended(*python("-m", "local", "--instance", "unit", "--port-offset", "29000", "up"), LOG_LEVEL="loud")
    assert code == 1
    assert said.startswith("LOG_LEVEL is 'loud', but should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'")
    assert said.count("\n") == 1


def test_a_wrong_setting_of_one_service_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_SERVICE_POOL_SIZE", "many")
    monkeypatch.setenv("PORT", "tcp://10.0.0.1:80")  # as Kubernetes says it; `local` chooses the ports itself
    with pytest.raises(Problem, match=r"^PAYMENT_SERVICE_POOL_SIZE is 'many', [^\n]*$"):
        services.require_settings(HERE, "127.0.0.1:9092")


def test_a_blank_setting_of_one_service_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("PAYMENT_SERVICE_LOG_LEVEL", "")
    programs = services.programs(HERE, 1, "127.0.0.1:9092")
    assert {program.environment["LOG_LEVEL"] for program in programs} == {"debug"}


def test_a_value_that_cannot_be_passed_on_is_named_and_not_shown() -> None:
    program = Program("x", ("true",), (), lambda: asyncio.sleep(0), ROOT, {"OPERATOR_TOKEN": "hush ;hush"})
    with pytest.raises(Problem, match=r"^OPERATOR_TOKEN cannot be passed on: (?!.*hush)"):
        configuration.text(HERE, [program])


def test_no_configuration_holds_the_path_of_this_folder() -> None:
    """It may have a space, a comma, a quote, a per cent sign or an umlaut in it."""
    text = configuration.text(HERE, services.programs(HERE, 1, "127.0.0.1:9092"))
    assert str(ROOT) not in text
    assert f"directory={HERE.clone}\n" in text


@pytest.fixture
def flaky() -> Iterator[Supervisor]:
    _make_folders(HERE)
    supervisor = Supervisor(HERE)
    yield supervisor
    supervisor.shut_down()


async def test_a_process_that_ends_again_and_again_is_not_waited_for(flaky: Supervisor) -> None:
    async def never() -> None:
        raise ConnectionRefusedError

    program = Program("flaky", python("-c", "import time; time.sleep(1.2); print('why')"), (), never, ROOT)
    flaky.apply([program])
    with pytest.raises(Problem, match=r"flaky ended at once\.(.|\n)*why"):
        await asyncio.wait_for(_all_ready(flaky, [program]), 30)
    assert [process.state for process in flaky.states()] == ["STOPPED"]


async def test_a_stopped_process_stands_still() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")

    async def is_so(expected: bool) -> None:
        assert stands_still(process.pid) == expected

    try:
        await eventually(lambda: is_so(False))
        process.send_signal(signal.SIGSTOP)
        await eventually(lambda: is_so(True))
    finally:
        process.kill()
        await process.wait()
    assert not stands_still(process.pid)


def test_who_listens_at_the_port_of_another_address_takes_nothing() -> None:
    with socket.create_server(("127.0.0.9", 0)) as other:
        port = other.getsockname()[1]
        require_own(port, pid=1)
        with socket.create_server(("127.0.0.1", port)), pytest.raises(Problem, match="is taken by"):
            require_own(port, pid=2**22)


def test_a_stack_that_is_wanted_at_other_ports_or_with_another_kafka_starts_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    HERE.folder.mkdir()
    footing.remember(HERE)
    assert not footing.has_changed(HERE)
    assert footing.has_changed(replace(HERE, port_offset=29500))
    assert footing.port_offset(replace(HERE, port_offset=0)) == 29000
    monkeypatch.setenv("KAFKA_BROKER", "kafka.example:9092")
    assert footing.has_changed(HERE)


def test_the_tools_know_what_the_stack_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BROKER", "kafka.example:9092")
    monkeypatch.setenv(VARIABLES["PGHOST"], "db.example")
    monkeypatch.setenv(VARIABLES["PGPORT"], "5432")
    HERE.folder.mkdir()
    footing.remember(HERE)
    for name in footing.OWN:
        monkeypatch.setenv(name, "")
    footing.recall(HERE)
    assert footing.given(HERE) == {
        "KAFKA_BROKER": "kafka.example:9092",
        VARIABLES["PGHOST"]: "db.example",
        VARIABLES["PGPORT"]: "5432",
    }
    assert HERE.psql(ORDER.database).startswith("psql -h db.example -p 5432 -U order_user")
    footing.forget(HERE)
    assert not footing.has_changed(HERE)


def test_what_needs_the_real_kafka_says_so_at_once() -> None:
    needs = python("-m", "local", "--instance", "test", "needs-kafka")
    code, said = ended(*needs, PATH="/nowhere")
    assert (code, said.splitlines()[0].partition(":")[0]) == (1, "This needs the real Kafka")


@pytest.mark.parametrize(
    "name", ["PIP_TARGET", "PIP_PREFIX", "PIP_NO_BINARY", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"]
)
def test_what_the_shell_says_of_other_projects_does_not_reach_pip(name: str) -> None:
    assert made("env", **{name: "elsewhere"}).count(f"{name}=") == 0


def test_the_index_that_the_shell_names_does() -> None:
    assert made("echo $$PIP_INDEX_URL $$PIP_USER", PIP_INDEX_URL="http://127.0.0.1:9", PIP_USER="1") == (
        "http://127.0.0.1:9 0"
    )


def test_a_blank_variable_of_make_is_none() -> None:
    assert made("echo $(REPLICAS) $(PYTHON) $(CHAOS)", "REPLICAS=", PYTHON="", CHAOS=" ") == "1 python3 whole"


def test_no_proxy_leads_to_this_machine() -> None:
    assert (
        made("echo $$NO_PROXY $$no_proxy", NO_PROXY="", no_proxy="x.example").split()
        == ["x.example,localhost,127.0.0.1"] * 2
    )


def test_every_file_keeps_its_line_ends_whatever_git_is_told() -> None:
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text().splitlines()
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
