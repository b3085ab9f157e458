"""Every connection of every service to its servers fails, in each way in which it can, under load."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from local.instance import ORDER
from tests.chaos.forms import EXTENT
from tests.chaos.proxy import Way
from tests.chaos.soak import SETTINGS, proxied, through_proxies
from tests.chaos.system import running
from tests.chaos.verdict import assert_all_well
from tests.support.load import load

CALLERS = 8
SECONDS = 3
ROWS = {
    Way.RESET: "connection-cut",
    Way.SILENT: "silent-drop",
    Way.REQUESTS_LOST: "one-way-loss",
    Way.REPLIES_LOST: "one-way-loss",
    Way.SLOW: "latency",
}


@pytest.mark.parametrize("way", [pytest.param(way, marks=pytest.mark.proves(ROWS[way])) for way in EXTENT.ways])
async def test_whatever_becomes_of_the_connections_every_checkout_ends(way: Way) -> None:
    async with proxied() as proxies, running(SETTINGS, own=through_proxies(0)) as system:
        async with load(system.http, CALLERS) as history:
            await history.grows(5 * CALLERS)
            async with AsyncExitStack() as stack:
                for proxy in proxies:
                    await stack.enter_async_context(proxy.failing(way))
                await asyncio.sleep(SECONDS)  # how long it lasts is what is tested
            await history.grows(5 * CALLERS, within=60)
        await assert_all_well(system, history)
        missed = {proxy.name for proxy in proxies if not proxy.taken}
        assert missed == {f"the way to {ORDER.name}-2"}, "a service has gone past its proxy"
