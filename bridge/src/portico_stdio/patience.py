"""What is tried again, how long, and what is not."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator

from portico_stdio.remote import Lost, NotSent, Refused

PATIENCE_S = 20.0  # a restart of the server takes less
AWAY = (502, 503, 504)
# Doing these twice does what doing them once does.
REPEATABLE = frozenset({
    "server/discover", "initialize", "ping", "tools/list", "resources/list", "resources/templates/list",
    "resources/read", "prompts/list", "prompts/get", "completion/complete", "logging/setLevel",
    "resources/subscribe", "resources/unsubscribe", "tasks/get",
})  # fmt: skip


def backoff() -> Iterator[float]:
    """Seconds between tries: soon at first, never more than half a minute, never all at once."""
    delay = 0.25
    while True:
        yield delay * random.uniform(0.75, 1.25)  # noqa: S311  no secret
        delay = min(delay * 2, 30.0)


async def persist(method: str, attempt: Callable[[], Awaitable[None]], patience_s: float) -> None:
    """Try until it worked, while nothing can happen twice. Raises NotSent, Lost and Refused."""
    until = time.monotonic() + patience_s
    for delay in backoff():
        over = time.monotonic() + delay > until
        try:
            await attempt()
            return
        except NotSent:
            if over:
                raise
        except Lost:
            if over or method not in REPEATABLE:
                raise
        except Refused as error:
            if over or method not in REPEATABLE or error.status not in AWAY:
                raise
        await asyncio.sleep(delay)
