"""What the processes of an instance have written, for people to read when something fails."""

import shutil

from rich.console import Console

from local.instance import STATE, Instance

TAIL_LINES = 20


def tail(instance: Instance, name: str) -> str:
    """The end of one log."""
    log = instance.log(name)
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:] if log.exists() else []
    return "\n".join([f"--- {log} ends with:", *lines])


def show(instance: Instance, console: Console) -> None:
    """The end of each log."""
    for log in sorted(instance.logs.glob("*.log")):
        console.print(tail(instance, log.stem), markup=False)


def keep(instance: Instance, console: Console) -> None:
    """A copy that outlives the instance, until the next one of its name."""
    kept = STATE / f"logs-of-{instance.name}"
    shutil.rmtree(kept, ignore_errors=True)
    if instance.logs.exists():
        shutil.copytree(instance.logs, kept)
        console.print(f"All logs are kept in {kept}", markup=False)
