"""python -m bench: load against a running stack, and what each saga costs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench import compare as side_by_side
from bench import docs, growth_commands, load_commands, needs, report, scaling
from bench.options import Folder
from bench.session import RESULTS, InvalidRun, console

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(load_commands.app)
app.add_typer(growth_commands.app)


@app.command()
def compare(ours: Path, theirs: Path) -> None:
    """Two results side by side, with ratios."""
    side_by_side.compare(console, report.Result.read(ours), report.Result.read(theirs))


@app.command("docs")
def write_docs(folder: Folder = RESULTS) -> None:
    """Put the last results into docs/performance.md and docs/scaling.md."""
    for name in docs.write(folder):
        console.print(name)


@app.command("scaling")
def scale(
    result: Annotated[Path, typer.Argument(help="Of `bench run`, with a cell at 64 callers.")] = RESULTS
    / "result.json",
    growth_result: Annotated[Path, typer.Option("--growth", help="Of `bench growth`: bytes kept.")] = RESULTS
    / "growth.json",
) -> None:
    """What 1,000, 10,000 and 100,000 sagas a second would need, from what one costs."""
    measured = scaling.read(result, growth_result)
    for line in (*needs.inputs(measured), "", *needs.needed(measured)):
        print(line)


try:
    app()
except InvalidRun as error:
    console.print(f"[bold red]{error}[/]")
    sys.exit(1)
