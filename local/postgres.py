"""Four Postgres clusters, each owned by the role of its service, as in the official image."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from local import postgres_binaries
from local.instance import DATABASES, HOST, Database, Instance
from local.postgres_binaries import major_version, make_reachable, other_user, reachable_binaries
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


def home(instance: Instance) -> Path:
    """The folder of the four data folders, where the user who runs Postgres can reach it."""
    return (instance.short_folder if other_user() else instance.folder) / "postgres"


def programs(instance: Instance) -> list[Program]:
    """One process for each database that is not the caller's own; `prepare` has to come before their start."""
    return [_program(instance, database) for database in own()]


def own() -> list[Database]:
    """Those that are run here."""
    return [database for database in DATABASES if not database.given]


def _program(instance: Instance, database: Database) -> Program:
    port = instance.port(database)
    user = other_user()
    counting = {"shared_preload_libraries": "pg_stat_statements"} if instance.measured else {}
    settings = (
        SETTINGS | counting | {"port": str(port), "unix_socket_directories": str(instance.short_folder / "sockets")}
    )
    return Program(
        name=database.program,
        command=(
            str(reachable_binaries(instance) / "postgres"),
            *("-D", str(home(instance) / database.name)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ),
        ports=(port,),
        ready=answers_sql(instance, database),
        directory=home(instance),
        user=user.pw_name if user else None,
        stop_signal="INT",  # Postgres: disconnect everybody, write everything, stop
    )


def description(instance: Instance) -> str:
    """What is run here and what is not, for the console."""
    here = [postgres_binaries.description()] if own() else []
    there = [f"{d.name} by `{instance.psql(d)}`, as {_said(d)} say" for d in DATABASES if d.given]
    return "; ".join(here + there)


async def require_answer(instance: Instance, database: Database) -> None:
    """`Problem` if one cannot log in to a database of the caller's own."""
    try:
        await answers_sql(instance, database)()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Problem(
            f"Cannot log in to the {database.name} of {_said(database)} (`{instance.psql(database)}`): {error!r}. "
            "Unset these variables, and a Postgres is started here."
        ) from None


def _said(database: Database) -> str:
    return ", ".join(variable for name, variable in database.variables.items() if name in database.given)


def prepare(instance: Instance) -> None:
    """Make what is missing of the clusters."""
    if not own():
        return
    user = other_user()
    for folder in (home(instance), instance.short_folder / "sockets"):
        folder.mkdir(parents=True, exist_ok=True)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
    if user and not (link := instance.folder / "postgres").is_symlink():
        link.symlink_to(home(instance))
    make_reachable(instance)
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda database: _create_cluster(instance, database), own()))


def _create_cluster(instance: Instance, database: Database) -> None:
    data = home(instance) / database.name
    bin_folder = reachable_binaries(instance)
    if data.exists():
        _require_same_version(data)
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
        create = f"create database {database.name} owner {database.user};\n"
        _run(instance, database, [bin_folder / "postgres", "--single", "-D", unfinished, "postgres"], create)
    finally:
        password_file.unlink()
    unfinished.rename(data)


def _run(instance: Instance, database: Database, command: list[str | Path], text: str = "") -> None:
    user = other_user()
    done = subprocess.run(
        command,
        input=text,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=home(instance),
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-10:])
        raise Problem(f"Could not create the cluster of {database.name}:\n{last}")


def _require_same_version(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != major_version():
        raise Problem(f"{data} is of Postgres {made_by}, here is {major_version()}: `make clean` starts afresh.")
