"""What a second look leaves of the auditor's findings."""

import pytest

from audit.report import Finding, Verdict


def verdict(found: range, count: int) -> Verdict:
    verdict = Verdict("I0", "a title")
    verdict.add((Finding(f"wrong {number}", "mend it") for number in found), count)
    return verdict


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        (verdict(range(3), 3), verdict(range(3), 3), 3),
        (verdict(range(3), 3), verdict(range(1), 1), 1),
        (verdict(range(3), 3), verdict(range(0), 0), 0),
        (verdict(range(100), 150), verdict(range(0), 0), 0),
        (verdict(range(100), 150), verdict(range(1), 1), 2),
        (verdict(range(0), 0), verdict(range(3), 3), 0),
    ],
)
def test_what_is_not_seen_again_counts_no_more_also_where_only_the_first_were_kept(
    first: Verdict, second: Verdict, count: int
) -> None:
    first.confirm(second)
    assert first.count == count
