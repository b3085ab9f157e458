"""The options by which a command line says which stack is meant."""

from typing import Annotated

import typer

from local.instance import PORT_OFFSETS, Instance
from local.problem import Problem

InstanceName = Annotated[str, typer.Option("--instance", envvar="STACK_INSTANCE", help="Which copy of the stack.")]
PortOffset = Annotated[int | None, typer.Option(envvar="PORT_OFFSET", help="Added to every port.")]


def instance_of(name: str, port_offset: int | None, measured: bool = False) -> Instance:
    """The instance; `Problem` for an unknown name without a port offset."""
    if port_offset is None:
        port_offset = PORT_OFFSETS.get(name)
    if port_offset is None:
        raise Problem(f"Say --port-offset too, so that instance {name} does not take the ports of another.")
    return Instance(name, port_offset, measured)
