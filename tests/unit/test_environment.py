"""A blank variable is as good as none; a wrong one ends the process with one line that says what could be."""

import os
import subprocess
import sys

import pytest
from pydantic import Field

from chassis.environment import Environment, settings_or_exit
from chassis.settings import Settings as ChassisSettings
from inventory_service.settings import Settings as InventorySettings
from kafka_init.settings import Settings as KafkaInitSettings
from order_service.settings import Settings as OrderSettings
from payment_service.settings import Settings as PaymentSettings
from saga_orchestrator.settings import Settings as OrchestratorSettings

SERVICES: list[type[ChassisSettings]] = [OrderSettings, PaymentSettings, InventorySettings, OrchestratorSettings]
KINDS = [*SERVICES, KafkaInitSettings]
PROGRAMS = [
    "order_service.main",
    "payment_service.main",
    "inventory_service.main",
    "saga_orchestrator.main",
    "kafka_init",
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__module__)
@pytest.mark.parametrize("blank", ["", " ", "\r"])
def test_a_blank_variable_is_the_default(
    kind: type[ChassisSettings], blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = kind()
    for name in kind.model_fields:
        monkeypatch.setenv(name.upper(), blank)
    assert kind() == default


@pytest.mark.parametrize("value", [" info ", "INFO\r", "info"])
def test_spaces_around_a_value_mean_nothing(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", value)
    assert PaymentSettings().log_level == "INFO"


def test_spaces_belong_to_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", " secret ")
    assert PaymentSettings().pgpassword == " secret "


def test_warn_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "warn")
    assert PaymentSettings().log_level == "WARNING"


def ended(program: str, **environment: str) -> tuple[int, list[str]]:
    """The exit code of a program that cannot start, and every line that it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", program], env=os.environ | environment, capture_output=True, text=True, timeout=20
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_value_ends_the_process_with_one_line(program: str) -> None:
    code, lines = ended(program, KAFKA_BROKER="kafka:anywhere")
    assert (code, lines) == (
        os.EX_CONFIG,
        [
            "KAFKA_BROKER is 'kafka:anywhere', but should be host:port, or several of them with commas between; "
            'by default it is "127.0.0.1:9092".'
        ],
    )


@pytest.mark.parametrize("workers", ["4", "many"])
def test_a_web_concurrency_that_others_obey_is_ignored(workers: str) -> None:
    _, lines = ended("payment_service.main", WEB_CONCURRENCY=workers, PGPORT="1", STARTUP_WAIT_SECONDS="0.1")
    assert "cannot log in to payment_user@" in lines[-1]


def test_each_wrong_value_has_its_line() -> None:
    code, lines = ended(
        "payment_service.main",
        LOG_LEVEL="loud",
        PAYMENT_FAILURE_RATE="2",
        PORT="99999",
        RETRY_DELAYS_SECONDS="5s",
        POOL_SIZE="many",
    )
    assert code == os.EX_CONFIG
    assert sorted(lines) == [
        "LOG_LEVEL is 'loud', but should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'; by default it is \"INFO\".",
        "PAYMENT_FAILURE_RATE is '2', but should be less than or equal to 1; by default it is 0.25.",
        "POOL_SIZE is 'many', but should be a valid integer, unable to parse string as an integer; by default it is 4.",
        "PORT is '99999', but should be less than or equal to 65535; by default it is 4002.",
        'RETRY_DELAYS_SECONDS is \'5s\', but should be JSON; by default it is {"5s": 5, "30s": 30, "5m": 300}.',
    ]


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Strict(Environment):
        operator_token: str = Field(min_length=20)

    monkeypatch.setenv("OPERATOR_TOKEN", "hush")
    with pytest.raises(SystemExit) as ended:
        settings_or_exit(Strict)
    assert ended.value.code == os.EX_CONFIG
    said = capsys.readouterr().err
    assert said == "OPERATOR_TOKEN (its value is not shown) is wrong: String should have at least 20 characters.\n"
