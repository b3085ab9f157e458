"""Ports on which nobody listens."""

import socket

from tests.support.stack import HOST


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
