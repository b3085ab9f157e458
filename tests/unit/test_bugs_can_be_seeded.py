"""Each seeded bug of the chaos tests still finds what it replaces; `make chaos` alone runs them."""

import os
import pkgutil
import subprocess
import sys

import pytest

from tests.chaos import bugs
from tests.support.stack import ROOT

SEED = """
import importlib, runpy, sys
runpy.run_module = lambda module, run_name: print(module)
importlib.import_module(sys.argv[1])
"""


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(bugs.__path__)])
def test_a_bug_can_be_seeded(name: str) -> None:
    """In a process of its own, since it stays there."""
    command = (sys.executable, "-c", SEED, f"{bugs.__name__}.{name}")
    environment = os.environ | {"SERVICE": "payment-service"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip().endswith(".main")) == (0, True), done.stderr
