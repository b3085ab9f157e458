"""The same running stack, as the end-to-end tests reach it."""

from tests.e2e.conftest import _running_stack, databases, http, user, wire

__all__ = ["_running_stack", "databases", "http", "user", "wire"]
