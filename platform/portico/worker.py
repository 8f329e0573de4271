"""The gunicorn worker: uvicorn with a bounded, clean end.

The stock worker waits for open streams until gunicorn kills it and never runs the lifespan's
shutdown; with ``timeout_graceful_shutdown`` it ends them and does.
"""

import asyncio
import logging
import socket
import sys
from typing import Any, ClassVar

from django.conf import settings
from gunicorn.arbiter import Arbiter
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

logger = logging.getLogger(__name__)

END_STREAMS_S = 2.5  # how long open streams get to say goodbye; whoever does not is cut off
# How long calls that were ended get to have their errors recorded and answered; gunicorn.conf.py
# leaves room for it.
LAST_WORDS_S = 5
BEAT_S = 1.0


class DrainingServer(Server):
    """Ends the streams of notifications first, and in the end the calls that outlive the drain.

    ASGI's lifespan tells of the shutdown only after all connections are closed, which open
    streams never are by themselves; and a request that is merely cancelled leaves its client
    without an answer.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listeners, end the streams, let the calls finish or end them, end the lifespan."""
        # Gunicorn's parent reads this module before Django is set up; and the worker may serve
        # another application, which has no streams of ours.
        streams = sys.modules.get("mcp_endpoint.streams")
        if streams is None:
            await super().shutdown(sockets)
            return
        ending = asyncio.create_task(streams.end_all(min(END_STREAMS_S, settings.PORTICO_DRAIN_S)))
        drain = asyncio.create_task(self._drain())
        await super().shutdown(sockets)
        drain.cancel()
        await ending

    async def _drain(self) -> None:
        """End what still runs when the time is over, and tell gunicorn meanwhile that we live."""
        from connectors.deadlines import stop_running

        over = asyncio.get_running_loop().time() + settings.PORTICO_DRAIN_S
        while (left := over - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(BEAT_S, left))
            if self.config.callback_notify is not None:
                await self.config.callback_notify()
        while True:  # some may begin yet: those that waited for the database
            if stopped := stop_running():
                logger.warning("%d calls took longer than PORTICO_DRAIN_S and were ended", stopped)
            await asyncio.sleep(BEAT_S / 4)


class PorticoWorker(UvicornWorker):
    """uvloop and httptools; calls get ``PORTICO_DRAIN_S`` seconds to end."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": "httptools",
        "lifespan": "on",
        "ws": "none",
        "timeout_graceful_shutdown": settings.PORTICO_DRAIN_S + LAST_WORDS_S,
        # Who the client is, is decided by PORTICO_TRUSTED_PROXIES alone.
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        server = logging.getLogger("uvicorn.error")  # the parent took it out of our format
        server.handlers = []
        server.propagate = True

    async def _serve(self) -> None:
        """As the parent's, with the server that knows of streams."""
        self.config.app = self.wsgi
        server = DrainingServer(config=self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
