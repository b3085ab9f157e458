"""Stand-ins from the Python package index, installed only where the real thing is missing."""

import importlib
import subprocess
from types import ModuleType

from local.instance import ROOT, python
from local.problem import Problem


def install_fallback(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        requirements = ROOT / "requirements" / "fallback.txt"
        pip = python("-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r")
        if subprocess.run([*pip, requirements]).returncode:
            raise Problem(
                f"Could not install the stand-in {module}: is the Python package index reachable? "
                "Or install Postgres (Debian: postgresql) and Java with Maven (Debian: maven) yourself."
            ) from None
        importlib.invalidate_caches()
        return importlib.import_module(module)
