"""The four services, as many replicas as asked for."""

from local.instance import ROOT, SERVICES, Instance, Service, python
from local.program import Program, answers_http


def programs(instance: Instance, replicas: int, kafka_broker: str) -> list[Program]:
    return [_program(instance, service, replica, kafka_broker) for service in SERVICES for replica in range(replicas)]


def _program(instance: Instance, service: Service, replica: int, kafka_broker: str) -> Program:
    return Program(
        name=service.name if replica == 0 else f"{service.name}-{replica + 1}",
        command=python("-m", f"{service.package}.main"),
        ports=(instance.port(service, replica),),
        ready=answers_http(instance.url(service, replica)),
        directory=ROOT,
        environment=instance.service_environment(service, replica, kafka_broker),
    )
