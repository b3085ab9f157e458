"""The four services, as many replicas as asked for, with the settings of whoever starts them."""

import os
from functools import cache
from importlib import import_module

from pydantic_settings import BaseSettings

from local.instance import ROOT, SERVICES, Instance, Service, python
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
        environment=_settings(service) | instance.service_environment(service, replica, kafka_broker),
    )


def _settings(service: Service) -> dict[str, str]:
    """Every setting found in the caller's environment; PAYMENT_SERVICE_CRASH_AT is CRASH_AT for that service alone."""
    found = {}
    for name in sorted(setting_names(service)):
        value = os.environ.get(f"{service.package.upper()}_{name}", os.environ.get(name))
        if value is not None:
            found[name] = value
    return found


@cache
def setting_names(service: Service) -> frozenset[str]:
    """What the service reads from its environment."""
    module = import_module(f"{service.package}.settings")
    classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, BaseSettings)]
    return frozenset({"CRASH_AT", *(field.upper() for c in classes for field in c.model_fields)})
