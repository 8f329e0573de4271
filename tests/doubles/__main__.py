"""``python -m tests.doubles [vendor …]``: serve doubles in this process until it is stopped.

Without ``--json`` the addresses and demo credentials are told to a person (``make sandbox``).
"""

import argparse
import asyncio
import json
import signal
from contextlib import AsyncExitStack

from tests.doubles.catalogue import DOUBLES, FIRST_PORT, told
from tests.doubles.running import serving


async def main(vendors: list[str], *, as_json: bool = False, first: int = FIRST_PORT) -> None:
    """Serve until SIGINT or SIGTERM. Raises SystemExit where a port is taken."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        urls = {}
        for vendor in vendors:
            entry = DOUBLES[vendor]
            port = 0 if as_json else entry.port - FIRST_PORT + first
            try:
                urls[vendor] = (await stack.enter_async_context(serving(entry.kind(), port))).url
            except OSError as error:
                raise SystemExit(
                    f"Port {port} cannot be used ({error.strerror or error}): does another sandbox run? "
                    f"make sandbox PORT={first + 100} takes others."
                ) from error
        print(json.dumps(urls) if as_json else told(urls), flush=True)
        await stop.wait()


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's arguments; ends the process where they are none."""
    parser = argparse.ArgumentParser(prog="python -m tests.doubles", description="Serve doubles of vendors.")
    parser.add_argument("vendors", nargs="*", metavar="vendor", help=", ".join(DOUBLES))
    parser.add_argument("--json", action="store_true", help="one line of JSON, on free ports: for programs")
    parser.add_argument("--port", type=int, default=FIRST_PORT, help="the first double's; the others follow")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.vendors if name not in DOUBLES]:
        parser.error(f"there is no double of {', '.join(unknown)}; there are: {', '.join(DOUBLES)}")
    return given


if __name__ == "__main__":
    asked = parsed()
    asyncio.run(main(asked.vendors or list(DOUBLES), as_json=asked.json, first=asked.port))
