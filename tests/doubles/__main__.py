"""``python -m tests.doubles [vendor …]``: serve doubles in this process until it is stopped.

Without ``--json`` the addresses and demo credentials are told to a person (``make sandbox``).
"""

import argparse
import asyncio
import json
import signal
from contextlib import AsyncExitStack

from tests.doubles.catalogue import DOUBLES, told
from tests.doubles.running import serving


async def main(vendors: list[str], as_json: bool) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        urls = {}
        for vendor in vendors:
            entry = DOUBLES[vendor]
            port = 0 if as_json else entry.port
            urls[vendor] = (await stack.enter_async_context(serving(entry.kind(), port))).url
        print(json.dumps(urls) if as_json else told(urls), flush=True)
        await stop.wait()


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's arguments; ends the process where they are none."""
    parser = argparse.ArgumentParser(prog="python -m tests.doubles", description="Serve doubles of vendors.")
    parser.add_argument("vendors", nargs="*", metavar="vendor", help=", ".join(DOUBLES))
    parser.add_argument("--json", action="store_true", help="one line of JSON, on free ports: for programs")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.vendors if name not in DOUBLES]:
        parser.error(f"there is no double of {', '.join(unknown)}; there are: {', '.join(DOUBLES)}")
    return given


if __name__ == "__main__":
    asked = parsed()
    asyncio.run(main(asked.vendors or list(DOUBLES), asked.json))
