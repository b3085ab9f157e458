"""The database's clock, remembered: a guess that saves a round trip. It sets deadlines and times of creation only."""

from datetime import datetime, timedelta
from time import monotonic


class DatabaseClock:
    """What the database's clock said last, carried on by a clock that nobody sets."""

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None

    def heard(self, now: datetime) -> None:
        """The database has just said so."""
        self._heard = now, monotonic()

    def now(self) -> datetime | None:
        """What it would say; None before it has said anything."""
        if self._heard is None:
            return None
        then, since = self._heard
        return then + timedelta(seconds=monotonic() - since)
