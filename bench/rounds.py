"""Several fresh stacks one after the other, each measured by a command of its own."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import stack, without
from bench.report import Result
from bench.session import InvalidRun, console
from local.instance import ROOT

Commands = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""By label, what is said to `local run` and what to `bench`."""

INFRA = ("--only-infra",)
WITHOUT = {f"without {lever}": stack.without(lever) for lever in without.LEVERS}
VARIANTS = {"textbook": stack.textbook, "floor": stack.floor, **WITHOUT}
SYSTEMS: Commands = {
    "this": ((), ("run", "--audit")),
    "textbook": (INFRA, ("run-variant", "textbook")),
    "floor": (INFRA, ("run-variant", "floor", "--callers", "1")),
}
LEVERS: Commands = {label: (INFRA, ("run-variant", label, "--callers", "1,64")) for label in WITHOUT}
REPLICAS = (1, 2, 4)
CALLERS = 64
STACK = "measured"
"""The instance's name; its folder is removed with it, so results are kept elsewhere."""


def interleaved(commands: Commands, port_offset: int, rounds: int, seconds: float, folder: Path) -> dict[str, Result]:
    """Each of these in turn, as often as there are rounds."""
    results = {label: Result(label) for label in commands}
    for number in range(1, rounds + 1):
        console.rule(f"round {number} of {rounds}")
        for label, (options, command) in commands.items():
            arguments = (*command, "--seconds", str(seconds))
            results[label].cells += _fresh(port_offset, options, arguments, folder / f"{label}-{number}.json").cells
    for label, result in results.items():
        result.write(folder / f"{label}.json")
    return results


def scaled_out(port_offset: int, rounds: int, seconds: float, folder: Path) -> Result:
    """1, 2 and 4 of each service, in turn; the callers are spread over the orchestrators.

    Each once with 64 callers in all, so that batches shrink as replicas are added, and once with 64 for each, so that
    they do not.
    """
    result = Result("replicas")
    for number in range(1, rounds + 1):
        console.rule(f"round {number} of {rounds}")
        for replicas in REPLICAS:
            options = ("--replicas", str(replicas))
            callers = ",".join(map(str, sorted({CALLERS, CALLERS * replicas})))
            command = ("run", "--audit", "--callers", callers, "--seconds", str(seconds), *options)
            result.cells += _fresh(port_offset, options, command, folder / f"replicas-{replicas}-{number}.json").cells
    result.write(folder / "replicas.json")
    return result


def _fresh(port_offset: int, options: Sequence[str], command: Sequence[str], out: Path) -> Result:
    out.unlink(missing_ok=True)
    local = (sys.executable, "-m", "local", "--instance", STACK, "--port-offset", str(port_offset), "--measured")
    bench = (sys.executable, "-m", "bench", *command, "--out", str(out))
    if subprocess.run([*local, "run", *options, *bench], cwd=ROOT).returncode:
        raise InvalidRun(f"this run does not count: {' '.join(command)}")
    return Result.read(out)
