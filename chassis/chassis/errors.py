"""What can go wrong in the plumbing; the docstring of each is its meaning."""


class ChassisError(Exception):
    """The root: catch this to catch everything that the chassis raises on purpose."""


class Overloaded(ChassisError):
    """The queue or the backlog is full; nothing was accepted, the caller may try again later."""


class Unavailable(ChassisError):
    """The database is away; nothing is known to be accepted, the caller may try again later."""


class CannotConnect(ChassisError, ConnectionError):
    """No connection to the database can be had: where that was tried, why not, and which setting to look at."""


class Undeliverable(ChassisError):
    """A receiver gave no usable answer; the outcome is unknown and the same message is sent again."""


class Hopeless(ChassisError):
    """Trying this message again cannot help: it is a dead letter at once."""


class Unreadable(ChassisError):
    """A stored row is none that this version can read; that is no matter of any other row."""


class InvalidRecord(Hopeless):
    """The bytes of a Kafka record are not a message that this service reads."""


class MigrationChanged(ChassisError):
    """A migration that was already applied has been edited; write a new one instead."""


class MigrationWaits(ChassisError):
    """Somebody held the migration lock, or a table, for too long; its process ends, and is started again."""


class LoopEnded(ChassisError):
    """A loop that runs for ever has ended, though nobody told it to; its process ends too."""


class ConsumerStuck(ChassisError):
    """Records wait, the broker answers, and yet nothing was handled for too long; its process ends."""
