"""Every row of the failure matrix has a test that proves it, and no test claims to prove another."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.matrix import ROWS

TESTS = Path(__file__).parents[1]


def proven() -> Iterator[str]:
    """The rows named by `pytest.mark.proves(…)` anywhere under tests."""
    for file in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.proves":
                yield from (ast.literal_eval(row) for row in node.args)


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    named = set(proven())
    assert ROWS.keys() - named == set(), "no test proves these rows"
    assert named - ROWS.keys() == set(), "there are no such rows"
