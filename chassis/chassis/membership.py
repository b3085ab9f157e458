"""Who a process is in its consumer group: a static member (KIP-345), until another process turns out to be the same.

Two processes with one instance id, on cloned machines for instance, would throw each other out for ever: the broker
takes the younger for a restart of the older, and the older joins again as what it was.
"""

from os import getpid
from socket import gethostname
from typing import Any
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from chassis.kafka import BROKER_ERRORS
from chassis.settings import Settings

log = structlog.get_logger()


class Membership:
    """Remembered over all clients of one consumer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._member_id = ""
        self.client_id = f"{settings.service}/{gethostname()}/{getpid()}/{uuid4().hex[:8]}"
        """No other process has it, wherever it runs; the broker shows it to whoever asks for the group's members."""
        self.instance: str | None = settings.instance
        """None: the process goes on as a member that nobody knows after a restart."""

    def joined(self, client: AIOKafkaConsumer) -> None:
        """Remember as whom."""
        self._member_id = client._coordinator.member_id

    async def before_joining(self, client: AIOKafkaConsumer) -> None:
        """Give the instance id up if the broker has let another process have it since we joined."""
        known_as = client._coordinator.member_id
        if self.instance is None or not self._member_id or known_as == self._member_id:
            return
        if other := await self._other():
            log.error(
                "another process has the same instance id, going on without one: give each process its own INSTANCE",
                instance=self.instance,
                other_client=other["client_id"],
                other_host=other["client_host"],
            )
            self.instance = client._coordinator._group_instance_id = None

    async def _other(self) -> Any:
        """Who in the group is the same instance and yet not we; the broker begins its member id with the instance's."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._settings.kafka_broker, request_timeout_ms=self._settings.kafka_request_timeout_ms
        )
        try:
            await admin.start()
            (found,) = await admin.describe_consumer_groups([self._settings.kafka_group])
        except BROKER_ERRORS as error:
            log.warning("cannot ask who else is in the group", error=repr(error))
            return None
        finally:
            await admin.close()
        members = (member for group in found.to_object()["groups"] for member in group["members"])
        return next((member for member in members if self._is_other(member)), None)

    def _is_other(self, member: dict[str, Any]) -> bool:
        same_instance = member["member_id"][: -len(f"-{uuid4()}")] == self.instance
        ours = member["member_id"] == self._member_id or member["client_id"] == self.client_id
        return bool(same_instance and not ours)
