"""`given().when(Reply).expect(Command).ended(…)`: a saga's story in one expression, in the manner of eventuate-tram."""

from typing import Any

from chassis.messages import Body, Message
from tests.unit.runs import begin


class Scenario:
    def __init__(self) -> None:
        self._run = begin()
        self._unanswered: Message | None = self._run.sent

    def when(self, kind: type[Body]) -> "Scenario":
        """The participant answers so."""
        before = self._run
        self._run = before.answered(kind)
        self._unanswered = None if self._run.sent is before.sent else self._run.sent
        return self

    def expect(self, kind: type[Body], **fields: Any) -> "Scenario":
        """This command has been sent, and nothing after it."""
        assert self._unanswered is not None
        assert isinstance(self._unanswered.body, kind)
        assert {name: getattr(self._unanswered.body, name) for name in fields} == fields
        return self

    def ended(self, status: str, step: str, reason: str | None = None) -> None:
        """The saga is over, with nothing more to send."""
        saga = self._run.saga
        assert (saga.status, saga.step, saga.reason, self._unanswered) == (status, step, reason, None)


def given() -> Scenario:
    """A customer has checked out."""
    return Scenario()
