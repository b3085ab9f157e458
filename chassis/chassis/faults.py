"""Whose fault an error of the database is. A message alone is guilty only if another one works meanwhile."""

from enum import Enum, auto

import asyncpg

from chassis.errors import ChassisError
from chassis.settings import Settings

INFRASTRUCTURE_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a query on a connection that has read its server's farewell but not yet its end
    asyncpg.PostgresError,
)
"""Whatever a statement may raise because of the database. A loop waits and repeats; `fault_of` tells them apart."""


class Fault(Enum):
    """Of a message that was refused with an error."""

    OWN = auto()
    """The message's: whatever else happens, it will not work."""
    UNCLEAR = auto()
    """The message's, unless of many none works."""
    LIKELY_EVERYBODYS = auto()
    """Everybody's, unless another works: a table, a column or a right is missing, the server refuses to write."""
    EVERYBODYS = auto()
    """The database is away, cannot be logged in to, or is full: wait and repeat."""


BY_CLASS = (
    dict.fromkeys(("21", "22", "23", "44"), Fault.OWN)
    | dict.fromkeys(("0A", "42", "54", "55"), Fault.LIKELY_EVERYBODYS)
    | dict.fromkeys(("08", "0B", "25", "26", "28", "2D", "3D", "3F", "40", "53", "57", "58", "F0"), Fault.EVERYBODYS)
)
"""By the first two characters of the SQLSTATE (appendix A of Postgres's manual); others are `UNCLEAR`."""
DOUBTFUL = (Fault.LIKELY_EVERYBODYS, Fault.UNCLEAR)
"""Which it is, another message of the same batch shows."""
ON_ANOTHER_SERVER = ("25", "28", "3D", "3F", "42", "57P")
"""What may be well on another connection: the server was demoted or is going, a name leads elsewhere now."""


def fault_of(error: BaseException) -> Fault:
    """Whose it most likely is; that of an error that is not the database's is the message's own."""
    if isinstance(error, asyncpg.LockNotAvailableError):
        return Fault.EVERYBODYS  # of a table; who holds a row is told from the error's context
    if isinstance(error, asyncpg.PostgresError):
        return BY_CLASS.get((error.sqlstate or "")[:2], Fault.UNCLEAR)
    return Fault.EVERYBODYS if isinstance(error, INFRASTRUCTURE_ERRORS) else Fault.OWN


def most_failures(error: BaseException, messages: int, others_work: bool, settings: Settings) -> int | None:
    """How often a batch of so many may fail so before it is divided; None: it waits, as nobody's message is at fault.

    `others_work`: messages that were in the same batch have been handled meanwhile.
    """
    match error:
        case asyncpg.SerializationError() | asyncpg.DeadlockDetectedError():
            return settings.race_tries  # another process was faster, which is nobody's fault but ends
        case asyncpg.UniqueViolationError():
            return settings.conflict_tries
        case asyncpg.QueryCanceledError() if messages > 1:
            return 0  # too much for the statement timeout
        case asyncpg.LockNotAvailableError() if "tuple" in (error.context or ""):
            return 0  # somebody holds a row, not a table: halving finds out whose, and that message fails alone
    match fault_of(error):
        case Fault.EVERYBODYS:
            return None
        case Fault.LIKELY_EVERYBODYS if messages == 1 and not others_work:
            return None  # until another comes and works
        case _:
            return 1


def is_elsewhere(error: BaseException) -> bool:
    """Whether the connections should be made anew, since the fault may lie with the server that they lead to."""
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith(ON_ANOTHER_SERVER)


def reason_of(error: BaseException) -> str:
    """For people, on one line: `relation "payments" does not exist (42P01)`."""
    text = str(error.args[0] if error.args else "") if isinstance(error, asyncpg.PostgresError) else str(error)
    text = text.partition("\n")[0]
    if isinstance(error, asyncpg.PostgresError):
        return f"{text} ({error.sqlstate})"
    if isinstance(error, ChassisError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
