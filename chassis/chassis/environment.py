"""Settings from environment variables: a blank one is as good as none, and one line says what is wrong with another."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError, model_validator
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

SECRETS: Final = ("password", "token")
"""What the name of a setting ends with whose value is never shown."""


class Environment(BaseSettings):
    """The field `pgport` is the variable `PGPORT`."""

    @model_validator(mode="before")
    @classmethod
    def _tidied(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """A line `LOG_LEVEL=` in somebody's `.env` sets nothing; spaces around a value mean nothing but in a secret."""
        tidy = {
            name: value.strip() if isinstance(value, str) and not name.endswith(SECRETS) else value
            for name, value in given.items()
        }
        return {name: value for name, value in tidy.items() if not isinstance(value, str) or value.strip()}


NOT_ITS_FAULT: Final = "default_factory_not_called"
"""Said of a default that is made from other settings, when one of those is wrong."""

Settings = TypeVar("Settings", bound=Environment)


def settings_or_exit(kind: type[Settings]) -> Settings:
    """What the environment says; if that cannot be, the process ends with a line for each wrong variable."""
    try:
        return kind()
    except ValidationError as error:
        print("\n".join(complaints(kind, error)), file=sys.stderr, flush=True)
        sys.exit(os.EX_CONFIG)


def complaints(kind: type[Environment], error: ValidationError, names: Mapping[str, str] | None = None) -> list[str]:
    """A line for each wrong setting; `names` are the variables that do not have their field's name in capitals."""
    details = error.errors(include_url=False)
    return [_complaint(kind, detail, names or {}) for detail in details if detail["type"] != NOT_ITS_FAULT]


def _complaint(kind: type[Environment], detail: Mapping[str, Any], names: Mapping[str, str]) -> str:
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not detail["loc"]:
        return str(message)
    name = str(detail["loc"][0])
    variable = names.get(name, name.upper())
    if name.endswith(SECRETS):
        return f"{variable} (its value is not shown) is wrong: {message}."
    if detail["type"] == "missing":
        return f"{variable} is not set."
    inside = "".join(f"[{part!r}]" for part in detail["loc"][1:])
    default = kind.model_fields[name].get_default()
    usual = "" if default in (None, PydanticUndefined) else f"; by default it is {json.dumps(default, default=str)}"
    return f"{variable}{inside} is {detail['input']!r}, but {message}{usual}."
