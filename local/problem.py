"""What can go wrong on the user's machine."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

IS_IT_UP = "Is the stack up? `make up` starts it, with Docker `docker compose up -d --wait`."


class Problem(Exception):
    """Something that the user can mend: the text says what it is and what to do."""


@contextmanager
def full_disk_is_a_problem() -> Iterator[None]:
    """Raise `Problem` in place of an OSError for a full disk or a used-up quota; pass on any other."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" (while writing {error.filename})" if error.filename else ""
        raise Problem(f"The disk is full{where}: make some room; `make clean` removes what was stored.") from None
