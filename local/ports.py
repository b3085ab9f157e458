"""Who sits on a port that we need."""

import socket
from collections.abc import Iterable

import psutil

from local.instance import HOST
from local.problem import Problem

EVERYWHERE = ("0.0.0.0", f"::ffff:{HOST}", "::")
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
    """Who answers at this port of HOST: who listens there only, else who listens at every address."""
    try:
        found = {
            connection.laddr.ip: connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        }
        owner = next((found[address] for address in (HOST, *EVERYWHERE) if address in found), None)
        return psutil.Process(owner) if owner else None
    except psutil.Error:
        return None  # on some systems only root may ask


def _owner(port: int) -> str:
    listener = _listener(port)
    return f"process {listener.pid}: {' '.join(listener.cmdline())[:120]}" if listener else "a process of another user"
