"""One process of many that write to one chain: prints the id of each call once it is answered."""

import asyncio
import sys
from uuid import UUID


async def main(tenant: UUID, calls: int) -> None:
    from audit.events import Event
    from audit.services import record

    async def one(lane: int) -> None:
        for number in range(calls // 8):
            event = Event(tenant, "call", name=f"tool_{lane}_{number}", arguments={"n": number})
            await record(event)
            print(event.call_id, flush=True)

    await asyncio.gather(*[one(lane) for lane in range(8)])


if __name__ == "__main__":
    sys.path[:0] = [".", "platform"]
    import django

    django.setup()
    asyncio.run(main(UUID(sys.argv[1]), int(sys.argv[2])))
