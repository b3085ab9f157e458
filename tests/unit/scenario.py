"""`given(start).expect(Command).on(reply)`: a saga's story in one expression, in the manner of eventuate-tram."""

from typing import Any

from chassis.messages import Body
from tests.unit.runs import Run, begin, reply


class Scenario:
    def __init__(self) -> None:
        self._run = begin()
        self._unread = self._run.sent

    def expect(self) -> "Scenario":
        """Reads well, does nothing."""
        return self

    def command(self, kind: type[Body], **fields: Any) -> "Scenario":
        """This command has been sent, and nothing after it."""
        assert self._unread is not None
        assert isinstance(self._unread.body, kind)
        assert {name: getattr(self._unread.body, name) for name in fields} == fields
        return self

    def on(self, kind: type[Body]) -> "Scenario":
        """The participant answers so."""
        before: Run = self._run
        self._run = before.on(reply(kind), before.saga.awaiting)
        self._unread = None if self._run.sent is before.sent else self._run.sent
        return self

    def ended(self, status: str, step: str, reason: str | None = None) -> None:
        """The saga is over, with nothing more to send."""
        saga = self._run.saga
        assert (saga.status, saga.step, saga.reason, self._unread) == (status, step, reason, None)


def given() -> Scenario:
    """A customer has checked out."""
    return Scenario()
