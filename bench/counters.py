"""What the processes of the stack have used so far: CPU and memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from local.instance import DATABASES, SERVICES, Instance

MAX_REPLICAS = 8


@dataclass(frozen=True)
class Usage:
    """Seconds of CPU and bytes of memory by part of the stack, and CPU seconds of the whole machine."""

    cpu: dict[str, float]
    rss: dict[str, int]
    machine: float


def ports(instance: Instance) -> dict[int, str]:
    """Every port at which a part of the stack may listen, and the part's name."""
    services = {
        instance.port(service, replica): service.name for service in SERVICES for replica in range(MAX_REPLICAS)
    }
    databases = {instance.port(database): database.program for database in DATABASES}
    return {**services, **databases, instance.kafka_port: "kafka"}


def usage(instance: Instance) -> Usage:
    """CPU and memory now; a process that ended counts by way of the parent that waited for it."""
    cpu: dict[str, float] = {}
    rss: dict[str, int] = {}
    for name, process in _processes(instance):
        times = process.cpu_times()
        cpu[name] = cpu.get(name, 0) + sum(times[:4])
        rss[name] = rss.get(name, 0) + process.memory_info().rss - process.memory_info().shared
    machine = psutil.cpu_times()
    return Usage(cpu, rss, sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice)


def _processes(instance: Instance) -> Iterator[tuple[str, psutil.Process]]:
    names = ports(instance)
    for socket in psutil.net_connections("tcp"):
        name = names.get(socket.laddr.port) if socket.laddr and socket.status == psutil.CONN_LISTEN else None
        if name and socket.pid:
            parent = psutil.Process(socket.pid)
            for process in [parent, *parent.children(recursive=True)]:
                yield name, process
