"""The payment service with a consumer that hears nothing, as after aiokafka's issue #1154."""

import asyncio
import runpy
from typing import Any

from aiokafka import AIOKafkaConsumer


async def hear_nothing(_: AIOKafkaConsumer, *__: Any, timeout_ms: int = 0, **___: Any) -> dict[Any, Any]:
    await asyncio.sleep(timeout_ms / 1000)
    return {}


AIOKafkaConsumer.getmany = hear_nothing
runpy.run_module("payment_service.main", run_name="__main__")
