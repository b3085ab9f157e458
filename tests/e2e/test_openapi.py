"""Each service keeps to its own /openapi.json, whatever schemathesis makes of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import SERVICES, Service

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.mark.parametrize("service", SERVICES, ids=str)
def test_the_service_does_what_its_openapi_document_says(service: Service, tmp_path: Path) -> None:
    options = {
        "--checks": ",".join(CHECKS),
        "--phases": "examples,coverage,fuzzing",
        "--max-examples": "30",
        "--seed": "1",
        "--request-timeout": "15",
        "--generation-database": "none",
    }
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"]
    arguments = [f"{name}={value}" for name, value in options.items()]
    done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
