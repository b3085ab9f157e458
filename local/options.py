"""The options by which a command line says which stack is meant."""

from typing import Annotated

import typer

from local import footing
from local.instance import PORT_OFFSETS, Instance
from local.problem import Problem

InstanceName = Annotated[str, typer.Option("--instance", envvar="STACK_INSTANCE", help="Which copy of the stack.")]
PortOffset = Annotated[int | None, typer.Option(envvar="PORT_OFFSET", help="Added to every port.")]


def instance_of(name: str, port_offset: int | None, measured: bool = False, anew: bool = False) -> Instance:
    """The instance; `Problem` for an unknown name without a port offset.

    Unless it starts `anew`, the environment gets what the running one was given of Kafka and Postgres.
    """
    if port_offset is None:
        port_offset = PORT_OFFSETS.get(name)
    if port_offset is None:
        raise Problem(f"Say --port-offset too, so that instance {name} does not take the ports of another.")
    instance = Instance(name, port_offset, measured)
    if not anew:
        footing.recall(instance)
    return instance
