"""What make does with what is typed after it."""

import subprocess
from pathlib import Path

import pytest

from local.instance import ROOT


@pytest.mark.parametrize("typed", ['a"b', "a`touch {}`b", "a$(touch {})b", "a$(shell touch {})b", "a'b", "a$$b"])
def test_an_idempotency_key_is_asked_for_as_it_was_typed_and_never_run(typed: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    key = typed.format(ran)
    command = ["make", "explain", f"ID={key}", "STAMP=", "PY=printf %s\\\\n"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == key
    assert not ran.exists()
