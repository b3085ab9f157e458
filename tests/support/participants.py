"""Payment and inventory as a foreign orchestrator sees them: it sends bare bodies, without a key."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support import databases as db
from tests.support import stack, wire
from tests.support.databases import Database, Databases
from tests.support.wire import Record, Wire


@dataclass(frozen=True)
class Participant:
    """One service: what it is told, what it answers, and the status that each answer leaves in its row."""

    service: stack.Service
    database: Database
    path: str
    do: str
    yes: str
    no: str
    undo: str
    undone: str
    done_status: str
    undone_status: str
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.service.name


PAYMENT = Participant(
    service=stack.PAYMENT,
    database=db.PAYMENT,
    path="/payments",
    do=wire.CHARGE,
    yes=wire.CHARGED,
    no=wire.PAYMENT_FAILED,
    undo=wire.REFUND,
    undone=wire.REFUNDED,
    done_status="CHARGED",
    undone_status="REFUNDED",
    extra={"amount": 19.99},
)
INVENTORY = Participant(
    service=stack.INVENTORY,
    database=db.INVENTORY,
    path="/reservations",
    do=wire.RESERVE,
    yes=wire.RESERVED,
    no=wire.INVENTORY_FAILED,
    undo=wire.RELEASE,
    undone=wire.RELEASED,
    done_status="RESERVED",
    undone_status="RELEASED",
)


class Conversation:
    """A foreign orchestrator's talk with one participant about one saga."""

    def __init__(self, wire: Wire, databases: Databases, participant: Participant) -> None:
        self._wire, self._rows, self._participant = wire, databases[participant.database], participant
        self.saga_id, self.order_id = str(uuid4()), str(uuid4())
        self._heard = 0

    async def do(self, message_id: str | None = None, **force: bool) -> Record:
        await self.send_do(message_id, **force)
        return (await self.answers())[-1]

    async def undo(self, message_id: str | None = None) -> Record:
        await self.send_undo(message_id)
        return (await self.answers())[-1]

    async def send_do(self, message_id: str | None = None, **force: bool) -> None:
        await self._send(self._participant.do, {**self._participant.extra, **force}, message_id)

    async def send_undo(self, message_id: str | None = None) -> None:
        await self._send(self._participant.undo, {}, message_id)

    async def _send(self, topic: str, body: dict[str, Any], message_id: str | None) -> None:
        headers = {"message-id": message_id} if message_id else {}
        await self._wire.send(topic, {"sagaId": self.saga_id, "orderId": self.order_id, **body}, headers)

    async def answers(self, new: int = 1) -> list[Record]:
        """All answers so far, as soon as so many new ones have come."""
        topics = self._participant.yes, self._participant.no, self._participant.undone
        heard = await self._wire.heard(self.saga_id, *topics, count=self._heard + new)
        self._heard = len(heard)
        return heard

    async def status(self) -> str | None:
        query = f"select status from {self._participant.database.table} where order_id = $1 and saga_id = $2"
        status: str | None = await self._rows.fetchval(query, self.order_id, self.saga_id)
        return status
