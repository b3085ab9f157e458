"""Bringing an instance up and down: prepare, start in order, wait until each part answers."""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from local import footing, kafka, logs, postgres, services
from local.instance import DATABASES, ROOT, STATE, Instance, inherited, python
from local.ports import require_free, require_own
from local.problem import Problem
from local.program import Program
from local.supervisor import Supervisor

READY_SECONDS = 90
MAX_LIVES = 2
"""A process that has begun more often than this cannot start."""
FREE_BYTES = 500_000_000
INFRA = {"kafka", *(database.program for database in DATABASES)}

console = Console(highlight=False, soft_wrap=True)
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def up(instance: Instance, replicas: int = 1, only_infra: bool = False) -> None:
    """Start what is missing, wait for all; `Problem` if it fails, and then a stack that was down is down again."""
    if replicas > 1 and kafka.is_stand_in(instance):
        raise Problem("The stand-in for Kafka serves one replica: install Java and Maven (Debian: maven) for more.")
    services.require_settings(instance, kafka.for_clients(instance))
    with _alone(instance, "change"):
        supervisor = Supervisor(instance)
        _require_own_servers(instance)
        if supervisor.is_running() and footing.has_changed(instance):
            _leave_footing(supervisor, instance, replicas, only_infra)
        was_running = supervisor.is_running()
        try:
            _start(supervisor, instance, replicas, only_infra)
        except BaseException:
            if not was_running:
                with _undisturbed():
                    _stop(supervisor)
            raise


def down(instance: Instance) -> None:
    """Stop the services first, then Postgres and Kafka; stored data stays."""
    with _alone(instance, "change"), _undisturbed():
        _stop(Supervisor(instance))


def clean(instance: Instance) -> None:
    """Down, and forget everything."""
    down(instance)
    for folder in (instance.folder, instance.short_folder):
        shutil.rmtree(folder, ignore_errors=True)


def run(instance: Instance, command: list[str], replicas: int, only_infra: bool) -> int:
    """The exit code of the command, run beside an instance that exists for it alone."""
    footing.drop_own()
    kafka.require_real(instance)
    with _alone(instance, "run"):
        clean(instance)
        try:
            up(instance, replicas, only_infra)
            code = _run_command(instance, command)
            if code:
                logs.show(instance, console)
                logs.keep(instance, console)
            return code
        except Problem:
            logs.keep(instance, console)
            raise
        finally:
            with _undisturbed():
                clean(instance)


def _programs(instance: Instance, replicas: int, only_infra: bool) -> list[Program]:
    infra = [*postgres.programs(instance), *kafka.programs(instance)]
    return infra if only_infra else [*infra, *services.programs(instance, replicas, kafka.broker(instance))]


def _start(supervisor: Supervisor, instance: Instance, replicas: int, only_infra: bool) -> None:
    _make_folders(instance)
    console.print(f"Postgres: {postgres.description(instance)}")
    console.print(f"Kafka: {kafka.description(instance)}")
    if not supervisor.is_running():
        supervisor.end_orphans()
    running = {process.name for process in supervisor.states() if process.pid}
    wanted = _programs(instance, replicas, only_infra)
    require_free(port for program in wanted if program.name not in running for port in program.ports)
    if not running:
        postgres.prepare(instance)
        kafka.prepare(instance, for_proxy=only_infra)  # whose services are a test's own
    infra = _programs(instance, replicas, only_infra=True)
    supervisor.apply(wanted if running else infra)
    asyncio.run(_all_ready(supervisor, infra))
    _create_topics(instance)
    wanted = _programs(instance, replicas, only_infra)  # again: a stand-in's address is known only by now
    supervisor.apply(wanted)
    asyncio.run(_all_ready(supervisor, [program for program in wanted if program.name not in INFRA]))


def _require_own_servers(instance: Instance) -> None:
    """`Problem` if a Kafka or a database of the caller's own does not answer."""
    if broker := kafka.given_broker(instance):
        kafka.require_answer(broker)
    for database in DATABASES:
        if database.given:
            asyncio.run(postgres.require_answer(instance, database))


def _leave_footing(supervisor: Supervisor, instance: Instance, replicas: int, only_infra: bool) -> None:
    """Stop a stack that runs at other ports, or with another Kafka or database, if it can start where it is wanted."""
    if footing.port_offset(instance) != instance.port_offset:
        require_free(port for program in _programs(instance, replicas, only_infra) for port in program.ports)
    console.print("It runs with other ports, or with another Kafka or database: it is stopped first.")
    with _undisturbed():
        _stop(supervisor)


def _make_folders(instance: Instance) -> None:
    instance.logs.mkdir(parents=True, exist_ok=True)
    instance.short_folder.mkdir(mode=0o755, exist_ok=True)
    if instance.short_folder.lstat().st_uid != os.geteuid():
        raise Problem(f"{instance.short_folder} belongs to another user: remove it.")
    instance.clone.unlink(missing_ok=True)
    instance.clone.symlink_to(ROOT)
    footing.remember(instance)
    for folder in (instance.folder, instance.short_folder):
        if shutil.disk_usage(folder).free < FREE_BYTES:
            raise Problem(f"Less than {FREE_BYTES // 1_000_000} MB are free in {folder}: make some room first.")


async def _all_ready(supervisor: Supervisor, programs: list[Program]) -> None:
    with console.status("Waiting for " + ", ".join(program.name for program in programs)):
        try:
            async with asyncio.TaskGroup() as tasks:
                for program in programs:
                    tasks.create_task(_ready(supervisor, program))
        except* Problem as problems:
            raise problems.exceptions[0] from None


async def _ready(supervisor: Supervisor, program: Program) -> None:
    started = time.monotonic()
    reason: Exception | None = None
    lives: set[int] = set()
    while time.monotonic() < started + READY_SECONDS:
        try:
            await program.ready()
        except Exception as error:
            reason = error
        else:
            for port in program.ports:
                require_own(port, next(p.pid for p in supervisor.states() if p.name == program.name))
            where = f" on {program.ports[0]}" if program.ports else ""
            console.print(f"  {program.name} is ready{where} ({time.monotonic() - started:.1f} s)")
            return
        process = next(process for process in supervisor.states() if process.name == program.name)
        lives.add(process.pid)
        if process.state not in ("STARTING", "RUNNING") or len(lives - {0}) > MAX_LIVES:
            supervisor.stop([program.name])
            raise Problem(f"{program.name} ended at once.\n{logs.tail(supervisor.instance, program.name)}")
        await asyncio.sleep(0.1)
    raise Problem(f"{program.name} is not ready: {reason!r}.\n{logs.tail(supervisor.instance, program.name)}")


def _create_topics(instance: Instance) -> None:
    if kafka.is_stand_in(instance):
        return  # it makes topics by first use, and only so
    environment = inherited() | instance.environment(kafka.broker(instance))
    with instance.log("kafka-init").open("a") as log:
        done = subprocess.run(python("-m", "kafka_init"), cwd=ROOT, env=environment, stdout=log, stderr=log)
    if done.returncode:
        raise Problem(f"kafka_init could not create the topics.\n{logs.tail(instance, 'kafka-init')}")
    console.print("  the topics are there")


def _stop(supervisor: Supervisor) -> None:
    names = {process.name for process in supervisor.states()}
    supervisor.stop(names - INFRA)
    supervisor.stop(names)
    supervisor.shut_down()
    footing.forget(supervisor.instance)


def _run_command(instance: Instance, command: list[str]) -> int:
    environment = inherited() | instance.environment(kafka.broker(instance))
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


@contextmanager
def _alone(instance: Instance, purpose: str) -> Iterator[None]:
    """Two commands that change the same instance at once would leave it half."""
    STATE.mkdir(exist_ok=True)
    with (STATE / f"{instance.name}.{purpose}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"Another command is at work on instance {instance.name}: wait for it to end.") from None
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not leave half of the stack behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
