"""Who sits on a port that we need."""

import socket
from collections.abc import Iterable

import psutil

from local.instance import HOST
from local.problem import Problem

ADVICE = (
    "Another copy of this? `make down` or `docker compose down` stops it, in the folder where it was started. "
    "Or take other ports: `PORT_OFFSET=3000 make up`."
)


def require_free(ports: Iterable[int]) -> None:
    """`Problem` says for each taken port who has it, and what to do."""
    if taken := [port for port in ports if not _is_free(port)]:
        owners = "\n".join(f"Port {port} is taken by {_owner(port)}." for port in taken)
        raise Problem(f"{owners}\n{ADVICE}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_own(port: int, pid: int) -> None:
    """Whoever answers on this port must be the process that we started, not another's that took the port first."""
    listener = _listener(port)
    if listener and pid not in {process.pid for process in (listener, *listener.parents())}:
        raise Problem(f"Port {port} is taken by {_owner(port)}.")


def _listener(port: int) -> psutil.Process | None:
    try:
        for connection in psutil.net_connections("tcp"):
            is_listening = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:] == (port,)
            if is_listening and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:
        pass  # on some systems only root may ask
    return None


def _owner(port: int) -> str:
    listener = _listener(port)
    return f"process {listener.pid}: {' '.join(listener.cmdline())[:120]}" if listener else "a process of another user"
