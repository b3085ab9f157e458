"""What an operator does about dead letters, with the real tool."""

from collections.abc import Mapping
from tempfile import NamedTemporaryFile

from tests.chaos.poison import Letters, Place
from tests.chaos.system import System
from tests.ops.shell import signed
from tests.support.eventually import eventually


async def redrive(system: System, letters: Letters, mended: Mapping[Place, bytes]) -> int:
    """Send these again, mended; how many of them a payment service has handled then."""
    for place, body in mended.items():
        with NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            done = await signed("dlq", "redrive", letters.found[place].place, "--body", file.name)
        assert done.code == 0, done.out + done.error
    ids = [letters.found[place].message_id for place in mended]

    async def handled() -> int:
        query = "select count(*) from inbox where message_id = any($1)"
        count: int = await system.databases.payment.fetchval(query, ids)
        assert count == len(ids), f"{count} of {len(ids)} redriven messages were handled"
        return count

    return await eventually(handled)


async def drop_the_rest() -> None:
    """What nobody can mend is given up, by name and with a reason."""
    done = await signed("dlq", "drop", "--all")
    assert done.code == 0, done.out + done.error
