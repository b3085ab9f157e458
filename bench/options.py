"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from local.instance import PORT_OFFSETS

BENCH_OFFSET = PORT_OFFSETS["measured"]
PortOffset = Annotated[int, typer.Option(envvar="PORT_OFFSET", help="Added to every port.")]
Broker = Annotated[str, typer.Option(envvar="KAFKA_BROKER")]
Seconds = Annotated[float, typer.Option(help="Of each cell.")]
WarmUp = Annotated[float, typer.Option(help="Seconds that do not count, beforehand.")]
Callers = Annotated[str, typer.Option(help="How many at once, one closed loop each.")]
Rounds = Annotated[int, typer.Option(help="Of each, in turn, each on a fresh stack; the median counts.")]
Folder = Annotated[Path, typer.Option(help="Where the JSON is.")]
Out = Annotated[Path, typer.Option(help="Where the JSON goes.")]
