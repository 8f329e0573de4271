"""The gunicorn worker: uvicorn with a bounded, clean end.

The stock worker waits for open streams until gunicorn kills it and never runs the lifespan's
shutdown; with ``timeout_graceful_shutdown`` it ends them and does.
"""

import logging
from typing import Any, ClassVar

from django.conf import settings
from uvicorn_worker import UvicornWorker


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
