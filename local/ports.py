"""Who sits on a port that we need."""

import socket
from collections.abc import Iterable

import psutil

from local.instance import HOST
from local.problem import Problem


def require_free(ports: Iterable[int]) -> None:
    if taken := [port for port in ports if not _is_free(port)]:
        raise Problem("\n".join(f"Port {port} is taken by {_owner(port)}." for port in taken))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            is_listening = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:] == (port,)
            if is_listening and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"process {connection.pid}: {command[:120]}"
    except psutil.Error:
        pass  # on some systems only root may ask
    return "a process of another user"
