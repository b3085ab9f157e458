"""Every fault that the system must survive, a row each; `@pytest.mark.proves("row id", …)` on a test names its rows.

A unit test holds that every row has a test and that no test names another row. After a run,
`docs/failure-matrix.md` says which test proves which row.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What happens, and what brings things back."""

    what: str
    cure: str


DEATHS: Mapping[str, Fault] = {
    "checkout-uncommitted": Fault("orchestrator: before the commit of POST /checkout", "the client's retry, same key"),
    "checkout-unanswered": Fault("orchestrator: after that commit, before the answer", "the client's retry, same key"),
    "order-call-answered": Fault(
        "orchestrator: order created over HTTP, saga not yet advanced", "the sweep repeats the call with the same id"
    ),
    "relay-before-send": Fault("any relay: after commit, before send", "the relay of any replica"),
    "relay-acknowledged": Fault("any relay: after the broker's ack, before published_at", "sent again; inbox"),
    "consumer-uncommitted": Fault("any consumer: before the database commit", "redelivery"),
    "consumer-committed": Fault("any consumer: after that commit, before the offset commit", "redelivery; inbox"),
    "mid-compensation": Fault("orchestrator: in the middle of compensation", "relay and deadlines, after the restart"),
    "recovery-five-times": Fault("orchestrator: in startup recovery, five times in a row", "relay and deadlines"),
    "reply-unsent": Fault("payment, inventory: after commit, before the reply is sent", "their own relay"),
    "refund-overtakes-charge": Fault("nobody: the refund overtakes the charge", "tombstone"),
    "release-overtakes-reserve": Fault("nobody: the release overtakes the reservation", "tombstone"),
    "timeout-races-reply": Fault("nobody: a timeout races the reply", "row version; the awaited command's id"),
    "retry-parked": Fault("any consumer: a message parked for a retry, before the offset commit", "message id, inbox"),
    "dead-letter-parked": Fault(
        "any consumer: a message parked as a dead letter, before the offset commit", "message id, inbox"
    ),
    "postgres-killed": Fault("each Postgres: SIGKILL in mid-commit", "WAL; the batch runs again, read by key"),
    "kafka-killed": Fault("Kafka: SIGKILL, and down for a while", "outbox"),
    "kafka-log-lost": Fault("Kafka: log directory lost", "`make republish`"),
}
"""Where the process dies."""

OTHERS: Mapping[str, Fault] = {
    "sigterm": Fault("SIGTERM", "shutdown in order; nothing comes again"),
    "sigstop": Fault("SIGSTOP for 1.5 to 3 × the session timeout", "another member, or the same one; inbox"),
    "connection-cut": Fault("connections to a server cut by reset", "reconnect; outbox, inbox"),
    "silent-drop": Fault("connections to a server stay open and carry nothing", "timeouts; outbox, inbox"),
    "one-way-loss": Fault("connections to a server carry one way only", "timeouts; outbox, inbox"),
    "latency": Fault("connections to a server are slow", "nothing to cure: late replies do not count"),
    "backend-terminated": Fault("pg_terminate_backend for every connection of a service", "the batch runs again"),
    "slow-disk": Fault("slow disks: each commit of every Postgres waits 100 ms longer", "nothing to cure"),
    "duplicates": Fault("every message comes 1 to 3 times", "inbox; commands are answered again"),
    "reordering": Fault("messages come in any order, old ones again", "causation ids, tombstones"),
    "poison": Fault("random bytes, nulls, 1 MB values, wrong shapes on every topic", "dead letters"),
    "clock-skew": Fault("a service's clock is 10 minutes off, either way", "deadlines by the database's clock"),
    "stuck-consumer": Fault("a consumer goes silent with lag", "the watchdog ends its process"),
    "replica-killed": Fault("one of two replicas is killed", "the other one"),
    "redrive": Fault("a message needed repair", "redrive of the dead letter; twice is once"),
    "thousand-in-flight": Fault("kill -9 of the orchestrator with 1,000 sagas in flight", "relay and deadlines"),
}
"""Other faults."""

PLAIN: Mapping[str, Fault] = {
    "plain-orchestrator-killed": Fault(
        "kill -9 of the orchestrator, 64 callers", "61 sagas RUNNING for ever, 40 customers charged without an order"
    ),
    "plain-payment-killed": Fault(
        "kill -9 of the payment service, back in 1 s, 64 callers",
        "43 sagas dead, 22 customers charged and never refunded; 31 s until usable",
    ),
    "plain-poison": Fault("random bytes on a command topic", "the partition stands still for good"),
    "plain-bad-amount": Fault('`totalAmount` missing, "abc", 1.5 or 1e400', "two services exit"),
    "plain-refund-of-failed": Fault("refund of a failed payment", "the payment becomes REFUNDED"),
    "plain-refund-first": Fault("refund before charge", "ignored, and the charge then succeeds"),
    "plain-duplicate-charge": Fault("duplicate charge command", "not answered: a lost reply is never repaired"),
}
"""What breaks the Node demo that this system re-implements; the second column is what happened to it, measured once."""

BUGS: Mapping[str, Fault] = {
    "bug-early-ack": Fault("a consumer acknowledges before it commits", "the auditor finds it"),
    "bug-no-inbox": Fault("a service without an inbox", "the auditor finds it"),
    "bug-no-tombstone": Fault("a participant that leaves no tombstone", "the auditor finds it"),
    "bug-early-publish": Fault("a service publishes inside the request, before its commit", "the auditor finds it"),
    "bug-dropped-compensation": Fault("a compensation that is not tried again", "the auditor finds it"),
}
"""Seeded bugs: what the auditor has to catch."""

TABLES: Mapping[str, Mapping[str, Fault]] = {
    "Where a process dies": DEATHS,
    "Other faults": OTHERS,
    "What breaks the Node demo that this system re-implements": PLAIN,
    "Seeded bugs": BUGS,
}
ROWS: Mapping[str, Fault] = {row: fault for table in TABLES.values() for row, fault in table.items()}
