"""Circumstances in which a bug bites. Each returns the id of the saga that it befalls; the product it does no harm."""

from local.instance import ORCHESTRATOR, PAYMENT
from tests.chaos.faults import broken
from tests.chaos.system import System
from tests.support.eventually import eventually
from tests.support.topics import empty
from tests.support.wire import CHARGE, CHARGED, PAYMENT_FAILED, REFUND


async def charge_after_its_refund(system: System) -> str:
    """The charge cannot be handled and waits on a retry topic; the saga is cancelled and ends before its next try."""
    async with broken(system, PAYMENT, "payments", "new.status = 'CHARGED'"):
        saga_id = await system.checkout()

        async def parked() -> None:
            assert await system[PAYMENT].metric("parked_messages_total")

        await eventually(parked)
        await system.operate(saga_id, "cancel")
        await system.ended(saga_id)
    await system.wire.heard(saga_id, CHARGED, PAYMENT_FAILED)
    return saga_id


async def refund_lost(system: System) -> str:
    """The payment service dies after the charge; when it is back, the refund is no longer on its topic."""
    payment = system[PAYMENT]
    await payment.arm("relay.acknowledged@PaymentCharged")
    saga_id = await system.checkout({"forcePaymentFail": False, "forceInventoryFail": True})
    await payment.crashed("relay.acknowledged@PaymentCharged", within=30)
    await system.sent(ORCHESTRATOR, "RefundPayment", [saga_id])
    await empty(REFUND)
    payment.start()
    await payment.ready()

    async def ended_or_overdue() -> None:
        query = "select status <> 'RUNNING' or deadline < now() - interval '1 s' from sagas where saga_id = $1"
        assert await system.databases.orchestrator.fetchval(query, saga_id)

    await eventually(ended_or_overdue, within=60)
    return saga_id


LATE_REPLY = "batch.before_commit@PaymentCharged,PaymentFailed"
"""Which of the two it is depends on what the payment service reads first, the charge or the refund."""


async def late_reply_and_a_crash(system: System) -> str:
    """The orchestrator dies while it handles a reply that nobody asks for again, as the saga has been cancelled."""
    orchestrator = system[ORCHESTRATOR]
    async with system[PAYMENT].frozen():
        saga_id = await system.checkout()
        await system.reaches(saga_id, step=["ORDER_CREATED"])
        await system.operate(saga_id, "cancel")
        await orchestrator.arm(LATE_REPLY)
    await orchestrator.crashed(LATE_REPLY, within=30)
    orchestrator.start()
    await orchestrator.ready()
    await system.ended(saga_id)
    return saga_id


async def command_sent_twice(system: System) -> str:
    """A charge comes again after its saga has ended."""
    saga_id = await system.checkout()
    await system.ended(saga_id)
    command, *_ = await system.wire.heard(saga_id, CHARGE)
    await system.wire.send(CHARGE, command.body, command.headers)
    await system.wire.heard(saga_id, CHARGED, count=2)
    return saga_id


async def reply_sent_twice(system: System) -> str:
    """The reply to a charge comes again after its saga has ended."""
    saga_id = await system.checkout()
    await system.ended(saga_id)
    reply, *_ = await system.wire.heard(saga_id, CHARGED)
    before = await noticed(system)
    await system.wire.send(CHARGED, reply.body, reply.headers)

    async def handled() -> None:
        assert await noticed(system) > before

    await eventually(handled)
    return saga_id


async def noticed(system: System) -> float:
    """How many messages the orchestrator has dropped, or put down as late."""
    orchestrator = system[ORCHESTRATOR]
    return await orchestrator.metric("duplicate_messages_total") + await orchestrator.metric("late_messages_total")


async def charge_that_is_never_committed(system: System) -> str:
    """The payment service dies while its commit waits; when the charge comes again, its luck has turned."""
    payment, database = system[PAYMENT], system.databases.payment
    await payment.restart(PAYMENT_FAILURE_RATE="0")
    async with database.acquire() as connection, connection.transaction():
        await connection.execute("lock table payments in share mode")
        saga_id = await system.checkout({"forceInventoryFail": False})

        async def waits() -> None:
            assert await database.fetchval("select count(*) from pg_locks where not granted")

        await eventually(waits)
        await payment.end()
    payment.start(PAYMENT_FAILURE_RATE="1")

    async def handled() -> None:
        assert await database.fetchval("select count(*) from payments where saga_id = $1", saga_id)

    await eventually(handled)
    await system.ended(saga_id)
    return saga_id
