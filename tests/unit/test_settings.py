"""Settings that cannot be say so, with what can be."""

import pytest
from pydantic import ValidationError

from kafka_init.topics import declared_topics
from order_service.batch import MOST_COMMANDS
from order_service.settings import Settings
from saga_orchestrator.settings import Settings as Orchestrator


def test_a_log_level_in_small_letters_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert Settings().log_level == "DEBUG"


def test_a_log_level_that_there_is_not_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ValidationError, match="'DEBUG', 'INFO', 'WARNING' or 'ERROR'"):
        Settings()


@pytest.mark.parametrize("name", ["POOL_SIZE", "BACKLOG_MAX_MESSAGES", "STUCK_AFTER_SECONDS", "OUTBOX_KEEP_HOURS"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many"])
def test_a_number_that_would_stop_everything_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_the_inbox_cannot_forget_what_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    longest_ms = max(int(topic.topic_configs["retention.ms"]) for topic in declared_topics().values())
    monkeypatch.setenv("INBOX_KEEP_HOURS", str(longest_ms / 3_600_000))
    assert Settings().inbox_keep_hours * 3_600_000 == longest_ms
    monkeypatch.setenv("INBOX_KEEP_HOURS", str(longest_ms / 3_600_000 - 1))
    with pytest.raises(ValidationError, match="inbox_keep_hours"):
        Settings()


@pytest.mark.parametrize("seconds", ["-5", "nan", "10.5"])
def test_a_checkout_waits_no_longer_than_an_orderly_stop_does(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_WAIT_SECONDS", seconds)
    with pytest.raises(ValidationError, match="checkout_wait_seconds"):
        Orchestrator()


def test_an_order_call_carries_no_more_than_the_order_service_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDER_CALL_MAX_COMMANDS", str(MOST_COMMANDS))
    assert Orchestrator().order_call_max_commands == MOST_COMMANDS
    monkeypatch.setenv("ORDER_CALL_MAX_COMMANDS", str(MOST_COMMANDS + 1))
    with pytest.raises(ValidationError, match="order_call_max_commands"):
        Orchestrator()
