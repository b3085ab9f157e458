"""What a saga costs while many others are stored, and what the services keep in memory after many."""

from dataclasses import replace
from itertools import pairwise

from audit.databases import Address, addresses, login
from bench import consistent
from bench.load import Plan
from bench.report import Result
from bench.session import cell, console, ports
from local.instance import Instance

CALLERS = (16, 64)
MEMORY_CELLS = 10


async def stored(instance: Instance, sizes: list[int], seconds: float) -> Result:
    """Cells with so many sagas stored, written by SQL; their outbox and inbox rows as they would be."""
    where = addresses(instance.port_offset)
    result = Result("growth")
    empty = await _bytes(where)
    for before, size in pairwise((0, *sizes)):
        console.print(f"storing sagas until there are {size:,}")
        await consistent.fill(where, size, after=before)
        for address in where:
            await consistent.execute(address, "vacuum analyze")
            await consistent.execute(address, "checkpoint")
        kept = {name: (now - empty[name]) / size for name, now in (await _bytes(where)).items()}
        await cell(instance, "to warm up", Plan(ports(instance), CALLERS[-1], seconds / 2))
        for callers in CALLERS:
            found = await cell(instance, f"{size:,} stored", Plan(ports(instance), callers, seconds))
            result.cells.append(replace(found, stored=size, stored_bytes=kept))
    return result


async def memory(instance: Instance, sagas: int) -> Result:
    """So many sagas through the same processes, in ten parts; each cell says what they hold at its end."""
    result = Result("memory")
    part = sagas // MEMORY_CELLS
    for number in range(1, MEMORY_CELLS + 1):
        plan = Plan(ports(instance), CALLERS[-1], seconds=part, most=part)
        found = await cell(instance, f"memory, {number} of {MEMORY_CELLS}", plan)
        result.cells.append(replace(found, stored=number * part))
    return result


async def _bytes(where: list[Address]) -> dict[str, int]:
    sizes = {}
    for address in where:
        connection = await login(address)
        sizes[address.database] = await connection.fetchval("select pg_database_size(current_database())")
        await connection.close()
    return sizes
