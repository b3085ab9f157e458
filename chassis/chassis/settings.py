"""What may be set of the chassis, by name and with its unit; each is an environment variable."""

import json
import re
from socket import gethostname
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FilePath
from pydantic_settings import NoDecode

from chassis.environment import Environment

LEVELS = {name: name for name in ("DEBUG", "INFO", "WARNING", "ERROR")} | {"WARN": "WARNING"}


def _level(given: str) -> str:
    return LEVELS.get(given.upper(), given)


def _decoded(given: Any) -> Any:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError("should be JSON") from None


def _brokers(given: str) -> str:
    if not all(re.fullmatch(r"(\[[^]]+]|[^\s:]+):[0-9]{1,5}", one.strip()) for one in given.split(",")):
        raise ValueError("should be host:port, or several of them with commas between")
    return given


def _origins(given: Any) -> Any:
    origins = [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given
    if not all(re.fullmatch(r"\*|https?://[^/\s]+", str(each)) for each in origins):
        raise ValueError("should be a scheme and a host, as https://shop.example, or several with commas between, or *")
    return origins


def _prefix(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,100}", given):
        raise ValueError("should be at most 100 letters, digits, dots, underscores and hyphens, as Kafka has it")
    return given


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_level)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Brokers = Annotated[str, AfterValidator(_brokers)]
TopicPrefix = Annotated[str, AfterValidator(_prefix)]
Duration = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""In the unit that the field's name ends with."""
Count = Annotated[int, Field(gt=0)]
TlsMode = Literal["disable", "require", "verify-ca", "verify-full"]
Origins = Annotated[list[str], NoDecode, BeforeValidator(_origins)]


class Settings(Environment):
    """What every service may be told."""

    service: str
    host: str = "127.0.0.1"
    port: Port
    instance: str = Field(
        default_factory=lambda fields: f"{fields['service']}-{gethostname()}-{fields['port']}",
        description="who this process is among its replicas, the same after a restart: Kafka hands it its partitions"
        " back at once instead of waiting for the session of the dead one to end (KIP-345)",
    )
    log_level: LogLevel = "INFO"
    shutdown_seconds: Count = Field(
        11, description="how long open HTTP requests may take to finish on SIGTERM; none of ours waits longer than 10 s"
    )
    keep_alive_seconds: Count = Field(60, description="idle HTTP connections; longer than clients keep them")
    max_body_bytes: Count = 64 * 1024
    http_max_head_bytes: Count = Field(64 * 1024, description="path and headers of a request, together; else 431")
    http_receive_seconds: Duration = Field(
        20.0, description="how long a client may take to send one whole request (else 408), or to read its answer"
    )
    http_linger_seconds: Duration = Field(
        2.0, description="how long a client that was refused may go on sending, so that it reads the answer"
    )
    http_max_connections: Count = Field(
        5_000,
        description="at once; one more takes the place of the one that has been idle longest, and where all wait for"
        " their answers it is answered 503",
    )
    cors_allow_origins: Origins = Field(
        [], description="whose pages may call this API from a browser, separated by commas: https://shop.example; or *"
    )

    pghost: str = "127.0.0.1"
    pgport: Port
    pguser: str
    pgpassword: str
    pgdatabase: str
    pgsslmode: TlsMode = Field(
        "disable",
        description="require: encrypted, whoever answers; verify-ca, verify-full: by a server that PGSSLROOTCERT, or"
        " without it the machine's own list of authorities, vouches for; verify-full: under this name",
    )
    pgsslrootcert: FilePath | None = None
    pool_size: Count = 4
    pool_acquire_seconds: Duration = 2.0
    statement_timeout_ms: Count = 5_000
    lock_timeout_ms: Count = Field(
        1_000,
        description="how long a row that somebody holds locked is waited for; then its message fails alone",
    )
    startup_wait_seconds: Duration = 60.0
    trouble_said_seconds: Duration = Field(
        60.0, description="how often the log repeats why the database cannot be used; what is new it says at once"
    )

    batch_max_messages: Count = 500
    batch_window_ms: float = Field(
        2.0, ge=0, allow_inf_nan=False, description="how long a busy batcher waits for more work"
    )
    batch_busy_messages: Count = Field(
        4, description="the size of the last batch from which the batcher counts as busy"
    )
    batch_enough_messages: Count = Field(16, description="so many do not wait for more")
    queue_max_messages: Count = 2_000
    submit_max_seconds: Duration = Field(
        10.0, description="how long an HTTP caller may wait for the database, then 503"
    )
    conflict_tries: Count = Field(5, description="how often in a row a batch may find its new rows taken")
    race_tries: Count = Field(
        100, description="how often in a row another process may be faster, before that is a fault"
    )
    memory_max_rows: int = Field(5_000, ge=0, description="rows that a process remembers having written")

    kafka_broker: Brokers = "127.0.0.1:9092"
    kafka_prefix: TopicPrefix = Field(
        "", description="what every topic and group begins with on the broker, the same for all that belongs together"
    )
    kafka_session_timeout_ms: Count = 6_000
    kafka_metadata_max_age_ms: Count = Field(
        5_000, description="how soon a new partition is read and written; less than a saga waits for a reply"
    )
    kafka_request_timeout_ms: Count = 10_000
    kafka_max_request_bytes: Count = Field(2 * 1024 * 1024, description="a 1 MiB message, parked with its headers")
    kafka_start_seconds: Duration = Field(
        15.0,
        description="how long a client may take to connect, and to join its group, or hear of no broker, then a new one"
        " tries",
    )
    kafka_send_seconds: Duration = Field(
        12.0, description="how long a message may wait for room in the producer; longer than kafka_request_timeout_ms"
    )
    kafka_stop_seconds: Duration = 10.0
    poll_wait_ms: Count = 1_000
    commit_every_seconds: Duration = 1.0
    commit_timeout_seconds: Duration = 5.0

    retry_delays_seconds: Annotated[dict[str, Duration], NoDecode, BeforeValidator(_decoded)] = Field(
        {"5s": 5, "30s": 30, "5m": 300}, description="last part of the retry topic's name -> its delay, shortest first"
    )
    unparked_max_messages: Count = Field(
        1_000, description="that no topic of failures takes; from then on the partitions they came from rest"
    )
    unparked_max_bytes: Count = Field(32 * 1024 * 1024, description="the same, counted by their size")
    unparked_retry_seconds: Duration = Field(
        5, description="the longest pause until a topic of failures is tried again"
    )
    parked_remembered_messages: Count = Field(
        10_000, description="parked messages of which no second copy is parked while this process lives"
    )
    unreadable_retry_seconds: Duration = Field(
        30, description="after so long a partition that could not be read is tried again"
    )
    stuck_after_seconds: Duration = Field(60, description="a consumer with lag and without progress ends its process")
    stuck_check_seconds: Duration = 10.0

    relay_lease_seconds: Duration = Field(
        3.0, description="how long a sent message may stay unmarked before it is resent"
    )
    relay_lease_max_seconds: Duration = 30.0
    relay_tick_seconds: Duration = Field(1.0, description="how often sent messages are marked and lost ones looked for")
    relay_sweep_rows: Count = 500
    relay_drain_seconds: Duration = Field(2.0, description="how long what was committed may take to be sent on SIGTERM")
    relay_pending_max_messages: Count = Field(5_000, description="on their way through one transport at once")
    backlog_max_messages: Count = Field(20_000, description="unsent messages from which on nothing new is accepted")

    housekeeping_every_seconds: Duration = 60.0
    housekeeping_rows: Count = 2_000
    outbox_keep_hours: Duration = Field(7 * 24, description="published messages, for debugging and `republish`")
    inbox_keep_hours: Duration = Field(
        45 * 24, ge=30 * 24, description="no shorter than any topic keeps a record: dead letters may be redriven"
    )

    @property
    def kafka_group(self) -> str:
        """The consumer group of all replicas."""
        return self.kafka_prefix + self.service
