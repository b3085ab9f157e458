"""How long an HTTP connection is waited for, and which one has to go when there are too many."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.metrics import http_cut
from chassis.settings import Settings


class Due(Enum):
    """What is still missing of the request that is being received."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's, with an end to its patience."""

    limits: ClassVar[Settings]
    waiting: ClassVar[dict["PatientProtocol", None]]
    """Those that we wait for and that do not wait for us, longest first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.due = Due.NOTHING
        self.refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Where there is no room, the one that we have waited for longest has to go."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.http_max_connections:
            for longest in self.waiting:
                del self.waiting[longest]
                longest.cut("too many connections")
                break
        self.look_who_waits()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self.waiting.pop(self, None)
        self._set_deadline(None)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client may end its side once its request is sent, and still hear the answer."""
        if answering := self.answering():
            self.cycle.keep_alive = False
        return answering

    def answering(self) -> bool:
        """Whether a whole request waits for its answer."""
        asked = self.cycle is not None and not self.cycle.response_complete
        return asked and (self.due is not Due.BODY or bool(self.pipeline))

    def look_who_waits(self) -> None:
        """Whoever waits for us has time; whoever we wait for has to send its next request, whole, in time."""
        if self.answering():
            self.waiting.pop(self, None)
            if not self.flow.write_paused:
                self._set_deadline(None)
        else:
            self.waiting.setdefault(self)
            if not self._deadline and not self.timeout_keep_alive_task:
                self._set_deadline(self.out_of_time)

    def on_response_complete(self) -> None:
        """Now we wait for the client again, unless another request was there already."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_soon()
        elif self.refused and self.timeout_keep_alive_task:
            self.part()
        else:
            if self.due is not Due.NOTHING:
                self._unset_keepalive_if_required()
            self.look_who_waits()

    def pause_writing(self) -> None:
        """A client may take as long to read its answers as to send a request."""
        super().pause_writing()
        self._set_deadline(lambda: self.cut("answer not read"))

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        self._set_deadline(None)
        self.look_who_waits()

    def timeout_keep_alive_handler(self) -> None:
        """An idle connection ends, whether or not its client has read everything."""
        self.part()

    def out_of_time(self) -> None:
        """The next request is not there in time."""
        self.part()

    def part(self) -> None:
        """End our side, and the whole soon: at once, the answer would be lost where the client still sends."""
        self.refused = True
        self._set_deadline(None)
        self.flow.resume_reading()
        if not self.transport.is_closing():
            self.transport.write_eof()
            self._abort_soon()

    def cut(self, why: str) -> None:
        """End it at once."""
        http_cut.labels(why).inc()
        self.transport.abort()

    def _abort_soon(self) -> None:
        self.loop.call_later(self.limits.http_linger_seconds, self.transport.abort)

    def _set_deadline(self, then: Callable[[], None] | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self.limits.http_receive_seconds, then) if then else None
