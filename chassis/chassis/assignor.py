"""Who reads which partition: by range, with a note of how many partitions there were when they were given out.

Kafka hands a static member that comes back its old assignment, whatever it subscribes to by now and however many
partitions there are (KIP-345); and where that member leads the group, aiokafka no longer looks for new ones. So each
member compares the note with what it sees, and has the partitions given out again if there are more.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

log = structlog.get_logger()


class NotingRange(RangePartitionAssignor):  # type: ignore[misc]
    """One for each client; to the broker, and to other versions of us, the same as `range`."""

    def __init__(self, pause_seconds: float) -> None:
        """Partitions are asked for anew once in so many seconds at most: the leader may see them later than we do."""
        self._pause_seconds = pause_seconds
        self._client: AIOKafkaConsumer | None = None
        self._assigned = False
        self._note: Mapping[str, int] | None = None
        self._asked_at: float | None = None
        self._mark = b""

    def watch(self, client: AIOKafkaConsumer) -> None:
        """Compare whenever this client hears of topics and partitions."""
        self._client = client
        client._client.cluster.add_listener(self._compare)

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """With a mark: a follower that says nothing new is given its old assignment."""
        return ConsumerProtocolMemberMetadata(self.version, list(topics), self._mark)

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """As range does, with the note."""
        topics = {topic for member in members.values() for topic in member.subscription}
        note = json.dumps({topic: _count(cluster, topic) for topic in sorted(topics)}).encode()
        given = super().assign(cluster, members)
        return {
            member: ConsumerProtocolMemberAssignment(share.version, share.assignment, note)
            for member, share in given.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Read the note; an older version of us writes none."""
        self._assigned, self._note = True, None
        with suppress(ValueError):
            self._note = json.loads(assignment.user_data or b"")
        if self._client is not None:
            self._compare(self._client._client.cluster)

    def _compare(self, cluster: ClusterMetadata) -> None:
        if self._client is None or not self._assigned:
            return
        now = monotonic()
        if self._asked_at is not None and (self._note is None or now < self._asked_at + self._pause_seconds):
            return
        note = self._note or {}
        more = {topic for topic in self._client.subscription() if _count(cluster, topic) > note.get(topic, 0)}
        if more:
            log.info("partitions that nobody was given, joining again", topics=sorted(more))
            self._asked_at, self._mark = now, uuid4().bytes
            self._client._coordinator.request_rejoin()


def _count(cluster: ClusterMetadata, topic: str) -> int:
    return len(cluster.partitions_for_topic(topic) or ())
