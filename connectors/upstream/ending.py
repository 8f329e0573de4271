"""How the loop of a process's background work ends: what was exchanged is stored, what is open closed."""

import threading
from typing import Final

from common.loops import has_loop, run_in_loop, stop_loop
from common.redis import async_client
from connectors.upstream.client import close_all
from connectors.upstream.tokens import END_S, end_renewals

CLOSING_S: Final = 5.0


def end_loop(patience_s: float = END_S + CLOSING_S) -> None:
    """Let renewals of tokens come to their end, close the loop's clients, and end the loop.

    For threads. Nobody waits longer than ``patience_s`` for it, since something may hold the loop.
    """
    if not has_loop():
        return
    closing = threading.Thread(target=lambda: run_in_loop(_closed()), name="portico-end", daemon=True)
    closing.start()
    closing.join(patience_s)
    stop_loop()


async def _closed() -> None:
    await end_renewals()
    await close_all()
    await async_client().aclose()
