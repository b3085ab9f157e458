"""The four services, as many replicas as asked for, with the settings of whoever starts them."""

import os
from functools import cache
from importlib import import_module

from pydantic import ValidationError

from chassis.environment import Environment, complaints
from kafka_init.settings import Settings as KafkaInitSettings
from local.instance import LIBPQ, ROOT, SERVICES, Instance, Service, python
from local.problem import Problem
from local.program import Program, answers_http


def programs(instance: Instance, replicas: int, kafka_broker: str) -> list[Program]:
    """One process for each replica; the second of order-service is called order-service-2."""
    return [_program(instance, service, replica, kafka_broker) for service in SERVICES for replica in range(replicas)]


def _program(instance: Instance, service: Service, replica: int, kafka_broker: str) -> Program:
    return Program(
        name=service.name if replica == 0 else f"{service.name}-{replica + 1}",
        command=python("-m", f"{service.package}.main"),
        ports=(instance.port(service, replica),),
        ready=answers_http(instance.url(service, replica)),
        directory=ROOT,
        environment=_settings(service, replica) | instance.service_environment(service, replica, kafka_broker),
    )


def _settings(service: Service, replica: int) -> dict[str, str]:
    """Every setting found in the caller's environment that is not blank; no two replicas are the same INSTANCE."""
    told = {name: os.environ[found] for name in sorted(setting_names(service)) if (found := _variable(service, name))}
    if replica and (shared := told.get("INSTANCE")):
        told["INSTANCE"] = f"{shared}-{replica + 1}"
    return told


def _variable(service: Service, name: str) -> str | None:
    """PAYMENT_SERVICE_CRASH_AT is CRASH_AT for that service alone; None if neither is given, or both are blank.

    A plain PGHOST, PGSSLMODE and so on are the shell's, and about another Postgres.
    """
    names = (f"{service.package.upper()}_{name}", *([] if name in LIBPQ else [name]))
    return next((each for each in names if os.environ.get(each, "").strip()), None)


def require_settings(instance: Instance, kafka_broker: str) -> None:
    """`Problem` has a line for each variable of the caller's that a service, or kafka-init, would not start with."""
    wrong = [line for service in SERVICES for line in _wrong(instance, service, kafka_broker)]
    wrong += _complaints(KafkaInitSettings, {}, {})
    if wrong:
        raise Problem("\n".join(dict.fromkeys(wrong)))  # once, where services agree


def _wrong(instance: Instance, service: Service, kafka_broker: str) -> list[str]:
    told = _program(instance, service, 0, kafka_broker).environment
    names = {name.lower(): _variable(service, name) or name for name in told}
    kind = _settings_class(service)
    return _complaints(kind, {name.lower(): told[name] for name in told if name.lower() in kind.model_fields}, names)


def _complaints(kind: type[Environment], given: dict[str, str], names: dict[str, str]) -> list[str]:
    try:
        kind.model_validate(given)  # which takes from the environment what is not given
    except ValidationError as error:
        return complaints(kind, error, names)
    return []


def _settings_class(service: Service) -> type[Environment]:
    found: type[Environment] = import_module(f"{service.package}.settings").Settings
    return found


@cache
def setting_names(service: Service) -> frozenset[str]:
    """What the service reads from its environment."""
    return frozenset({"CRASH_AT", *(field.upper() for field in _settings_class(service).model_fields)})
