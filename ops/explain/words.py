"""Moments, spans and lists as people say them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta


def clock(moment: datetime) -> str:
    """`2026-11-23 09:25:53Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def span(length: timedelta) -> str:
    """`0.25 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 10:
        return f"{seconds:.2f} s"
    for unit, size, small, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} {seconds % size // part:.0f} {small}"
    return f"{seconds:.0f} s"


def when(moment: datetime, now: datetime) -> str:
    """A moment, its date only if it is another day's, and how far away it is."""
    ago = now - moment
    shown = clock(moment) if abs(ago) > timedelta(days=1) else clock(moment).split()[1]
    return f"{shown} ({f'{span(ago)} ago' if ago > timedelta(0) else f'in {span(-ago)}'})"


def listed(names: Iterable[str]) -> str:
    """`A, then B`."""
    return ", then ".join(names)
