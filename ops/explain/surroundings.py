"""What stands around the databases: the copies of messages that failed, and how the services say they are."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import httpx
from aiokafka.errors import KafkaError

from local.instance import SERVICES, Instance
from ops.letters import RETRY, SUFFIX, Letter, connected

READY_SECONDS: Final = 3
KAFKA_SECONDS: Final = 10
CLOCKS_DIFFER: Final = timedelta(minutes=10)

Failed = tuple[list[Letter], list[Letter]]


async def failed(broker: str, since: datetime | None, about: Callable[[Letter], bool]) -> Failed | str:
    """The open dead letters and the copies on retry topics that are meant; or why Kafka does not say.

    Only what is as new as the saga is read: no message of it has failed before it began.
    """
    try:
        async with asyncio.timeout(KAFKA_SECONDS):
            begin = since and since - CLOCKS_DIFFER
            async with connected(broker, (SUFFIX, RETRY), begin) as letters:
                found = [each async for each in letters.all(but=await letters.closed()) if about(each)]
    except TimeoutError:
        return f"no answer in {KAFKA_SECONDS} s"
    except (KafkaError, OSError) as error:
        return str(error)
    return [each for each in found if RETRY not in each.place.service], [e for e in found if RETRY in e.place.service]


async def unready(stack: Instance) -> dict[str, str]:
    """The services that do not say that all is well, and what they say; of several replicas the first is asked."""
    async with httpx.AsyncClient(timeout=READY_SECONDS, trust_env=False) as http:
        said = await asyncio.gather(*(_said(http, stack.url(service)) for service in SERVICES))
    return {service.name: wrong for service, wrong in zip(SERVICES, said, strict=True) if wrong}


async def _said(http: httpx.AsyncClient, url: str) -> str | None:
    try:
        answer = await http.get(f"{url}/readyz")
    except httpx.TimeoutException:
        return f"no answer from {url}/readyz in {READY_SECONDS} s"
    except httpx.HTTPError as error:
        return f"no answer from {url}/readyz: {error}"
    return None if answer.is_success else f"{url}/readyz says {answer.text}"
