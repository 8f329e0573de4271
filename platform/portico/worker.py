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

END_STREAMS_S = 2.5  # how long open streams get to say goodbye; whoever does not is cut off


class DrainingServer(Server):
    """Ends the streams of notifications first, so that the drain waits for calls alone.

    ASGI's lifespan tells of the shutdown only after all connections are closed, which open
    streams never are by themselves.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listeners, end the streams, let the calls finish, end the lifespan."""
        from mcp_endpoint import streams  # gunicorn's parent reads this module before Django is set up

        ending = asyncio.create_task(streams.end_all(min(END_STREAMS_S, settings.PORTICO_DRAIN_S)))
        await super().shutdown(sockets)
        await ending


class PorticoWorker(UvicornWorker):
    """uvloop and httptools; calls get ``PORTICO_DRAIN_S`` seconds to end."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": "httptools",
        "lifespan": "on",
        "ws": "none",
        "timeout_graceful_shutdown": settings.PORTICO_DRAIN_S,
        # Who the client is, is decided by PORTICO_TRUSTED_PROXIES alone.
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        logger = logging.getLogger("uvicorn.error")  # the parent took it out of our format
        logger.handlers = []
        logger.propagate = True

    async def _serve(self) -> None:
        """As the parent's, with the server that knows of streams."""
        self.config.app = self.wsgi
        server = DrainingServer(config=self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
