"""python -m ops: what an operator does from a shell."""

import sys

import asyncpg
import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from chassis import logs
from chassis.faults import reason_of
from local.problem import IS_IT_UP, Problem
from ops import dlq, republish
from ops.explain.command import explain

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(dlq.app, name="dlq")
app.command()(republish.republish)
app.command()(explain)


def main() -> None:
    """Say a `Problem`, or that Kafka or a database is away, on stderr and exit 1."""
    logs.configure("ops", "INFO")
    try:
        app()
    except (Problem, KafkaError, OSError, asyncpg.PostgresError) as error:
        text = str(error) if isinstance(error, Problem) else _away(error)
        Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)
        sys.exit(1)


def _away(error: Exception) -> str:
    return f"Kafka or a database is away: {reason_of(error)}. {IS_IT_UP}"


main()
