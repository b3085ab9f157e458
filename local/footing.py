"""What a stack stands on: its port offset, and the Kafka and the databases of the caller's own; kept while it runs."""

import json
import os
from typing import Any

from local import kafka
from local.instance import DATABASES, Instance

OWN = (
    "KAFKA_BROKER",
    "KAFKA_PREFIX",
    *(variable for database in DATABASES for variable in database.variables.values()),
)
"""By these variables the caller gives a Kafka or a database of his own, or shares that Kafka with other stacks."""


def given(instance: Instance) -> dict[str, str]:
    """Those of `OWN` that count."""
    broker = kafka.given_broker(instance)
    said = {d.variables[name]: value for d in DATABASES for name, value in d.given.items()}
    kafkas = {"KAFKA_BROKER": broker or "", "KAFKA_PREFIX": kafka.prefix()}
    return said | {name: value for name, value in kafkas.items() if value}


def has_changed(instance: Instance) -> bool:
    """True if the stack was started with another footing than the one it would have now."""
    before = _read(instance)
    return before is not None and before != _now(instance)


def remember(instance: Instance) -> None:
    """For `recall`, until `forget`. There may be passwords in it."""
    file = instance.folder / "footing.json"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, mode=0o600), "w") as output:
        json.dump(_now(instance), output)


def recall(instance: Instance) -> None:
    """Let a command that says nothing of Kafka and the databases mean those that the running stack was given."""
    before = _read(instance)
    if before and before["port_offset"] == instance.port_offset:
        for name, value in before["given"].items():
            if not os.environ.get(name, "").strip():
                os.environ[name] = value


def port_offset(instance: Instance) -> int:
    """That of the stack while it runs, else the one that is asked for."""
    before = _read(instance)
    return int(before["port_offset"]) if before else instance.port_offset


def forget(instance: Instance) -> None:
    """The stack has stopped."""
    (instance.folder / "footing.json").unlink(missing_ok=True)


def drop_own() -> None:
    """For tests, which want a Kafka and databases without a past."""
    for name in OWN:
        os.environ.pop(name, None)


def _now(instance: Instance) -> dict[str, Any]:
    return {"port_offset": instance.port_offset, "given": given(instance)}


def _read(instance: Instance) -> dict[str, Any] | None:
    file = instance.folder / "footing.json"
    found: dict[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
    return found
