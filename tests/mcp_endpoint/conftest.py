"""Places to speak to, a real server on a real socket, and the official programs that speak to it."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from django.conf import settings

from tests.mcp_endpoint.speak import Place, by_door, by_runserver, by_view, make_place
from tests.node import node_tools
from tests.services import free_port

__all__ = ["node_tools"]  # a fixture that others import from here too

DEMO = "demo=tests.mcp_endpoint.demo:Demo"
if DEMO not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(DEMO)


@pytest.fixture(scope="session")
def place(database: None) -> Place:
    """A tenant that tests only read."""
    return make_place()


@pytest.fixture(scope="session")
def other_place(database: None) -> Place:
    """Another tenant with the same connections."""
    return make_place()


@pytest.fixture(params=[by_door, by_view, by_runserver], ids=["door", "view", "runserver"])
def send(request: pytest.FixtureRequest):
    """All ways in, one after the other."""
    return request.param


@pytest.fixture(scope="session")
def base_url(database: None) -> Iterator[str]:
    """Portico's whole ASGI application behind uvicorn, in a thread of this process."""
    from portico.asgi import application

    port = free_port()
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        loop="uvloop",
        http="httptools",
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
