"""One HTTP connection: uvicorn's, with bounds on what a client may send and on the time that it takes."""

from http import HTTPStatus
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from chassis.metrics import http_cut
from chassis.patience import Due, PatientProtocol
from chassis.problems import problem_response
from chassis.settings import Settings

MOST_ON_THE_WIRE = 8
"""Times MAX_BODY_BYTES; cut into chunks of one byte, a body takes six times its size."""


class Connection(PatientProtocol):
    """Offers of an upgrade are declined by answering as without them, which RFC 9110 (7.8) allows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._packet = 0
        self._fresh = 0  # bytes of this packet, until a request has begun in it
        self._length = 0  # of the head, or of the body, in packets

    def data_received(self, data: bytes) -> None:
        """Hand a packet to the parser; refuse what it does not understand, and what is too long."""
        if self.refused:
            return
        self._unset_keepalive_if_required()
        self._packet = self._fresh = len(data)
        if self.due is not Due.NOTHING:
            self._length += self._packet
            self._fresh = 0
        try:
            self._feed(data)
        except httptools.HttpParserError:
            if not self.refused:
                self._refuse(HTTPStatus.BAD_REQUEST, "this is not HTTP/1.1, or a header of it is not legal")
        if not self.refused:
            self._look_how_long()
            self.look_who_waits()

    def _feed(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while rest:
            try:
                self.parser.feed_data(rest)
                break
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
                if self.parser.get_method() == b"CONNECT":
                    self._refuse(HTTPStatus.NOT_IMPLEMENTED, "this is no proxy")
                    break
                self._feed_head_without_upgrade()

    def _feed_head_without_upgrade(self) -> None:
        """Again, since the parser takes no body after a head that offers one."""
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))

    def _should_upgrade(self) -> bool:
        """So that uvicorn leaves such a head alone; it is fed again."""
        return True

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.due, self._length, self._fresh = Due.HEAD, self._fresh, 0

    def on_headers_complete(self) -> None:
        """The head is there, and the request begins."""
        if self.parser.should_upgrade():
            return
        most = self.limits.http_max_head_bytes
        if max(self._length, self._packet) > most:
            length = len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
            if length > most:
                self._refuse_head()
                raise httptools.HttpParserError("its head is too long")
        super().on_headers_complete()
        self.due, self._length = Due.BODY, 0
        self.headers = []  # what follows a body in chunks is none of the request's headers

    def on_message_complete(self) -> None:
        """Now the client waits for us."""
        if not self.parser.should_upgrade():
            self.due = Due.NOTHING
            super().on_message_complete()

    def out_of_time(self) -> None:
        """The next request is not there in time."""
        if self.due is Due.NOTHING:
            self.part()
        else:
            seconds = self.limits.http_receive_seconds
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the whole request must be here within {seconds:g} s")

    def _look_how_long(self) -> None:
        most = self.limits.max_body_bytes
        if self.due is Due.HEAD and self._length > self.limits.http_max_head_bytes:
            self._refuse_head()
        elif self.due is Due.BODY and self._length > MOST_ON_THE_WIRE * most:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have at most {most} bytes")

    def _refuse_head(self) -> None:
        most = self.limits.http_max_head_bytes
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"path and headers may have at most {most} bytes")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer this request so, and what was asked before it on this connection as it deserves, which comes first."""
        self.refused = True
        http_cut.labels(f"answered {status.value}").inc()
        if self._may_answer():
            answer = problem_response(status, detail, headers={"Connection": "close"})
            head = b"".join(b"%b: %b\r\n" % line for line in (*self.server_state.default_headers, *answer.raw_headers))
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(answer.body))
            self.part()

    def _may_answer(self) -> bool:
        """Whether nothing else is to be answered first, nor this request has been answered already."""
        cycle = self.cycle
        if self.due is Due.BODY and self.pipeline:
            self.pipeline.popleft()
            return False
        if cycle is None or (cycle.response_complete and self.due is not Due.BODY):
            return True
        if cycle.response_complete:
            self.part()
        elif self.due is Due.BODY and not cycle.response_started:
            cycle.disconnected = True
            cycle.message_event.set()
            return True
        return False


def bounded(settings: Settings) -> type[Connection]:
    """Connections with these limits."""

    class Bounded(Connection):
        limits = settings
        waiting: ClassVar[dict[PatientProtocol, None]] = {}

    return Bounded
