"""One JSON line an event; coloured text when a person watches."""

import logging
import sys
from collections.abc import Callable
from time import monotonic

import orjson
import structlog

CHATTY_LOGGERS = ("aiokafka",)
CHATTY_LINES_PER_MINUTE = 20


class RateLimit(logging.Filter):
    """At most so many lines a minute from these loggers; aiokafka writes 150 a second while its broker is away."""

    def __init__(self, loggers: tuple[str, ...], lines_per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._loggers = loggers
        self._lines_per_minute = lines_per_minute
        self._clock = clock
        self._minute = self._lines = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line may pass."""
        if not record.name.startswith(self._loggers):
            return True
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._lines = minute, 0
        self._lines += 1
        return self._lines <= self._lines_per_minute


def configure(service: str, level: str) -> None:
    """Route structlog and the standard library's logging to standard output, in one shape."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_the_service(service),
    ]
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stdout.isatty()
        else structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str).decode())
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    handler.addFilter(RateLimit(CHATTY_LOGGERS, CHATTY_LINES_PER_MINUTE))
    logging.basicConfig(handlers=[handler], level=max(logging.getLevelName(level), logging.WARNING), force=True)


def _name_the_service(service: str) -> structlog.typing.Processor:
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add
