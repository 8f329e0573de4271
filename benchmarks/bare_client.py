"""The HTTP library alone against a system: what one request costs in CPU, whoever makes it.

Reads one JSON object per line, ``{"url": "http://…", "calls": 2000}``, and answers with
``{"cpu_us": microseconds of CPU per request}``. One client, sixteen requests at a time.
"""

import asyncio
import json
import sys
import time

import httpx2
import uvloop

AT_ONCE = 16


async def measure(client: httpx2.AsyncClient, url: str, calls: int) -> float:
    async def some(count: int) -> None:
        for _ in range(count):
            (await client.get(url, headers={"authorization": "Bearer token"})).json()

    await some(5)
    began = time.process_time()
    await asyncio.gather(*(some(calls // AT_ONCE) for _ in range(AT_ONCE)))
    return (time.process_time() - began) / (calls // AT_ONCE * AT_ONCE) * 1_000_000


async def main() -> None:
    limits = httpx2.Limits(max_connections=20, max_keepalive_connections=20)
    async with httpx2.AsyncClient(trust_env=False, limits=limits) as client:
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps({"cpu_us": await measure(client, order["url"], order["calls"])}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
