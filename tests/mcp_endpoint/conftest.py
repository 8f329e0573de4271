"""Places to speak to, a real server on a real socket, and the official programs that speak to it."""

import fcntl
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from django.conf import settings

from tests.mcp_endpoint.speak import Place, by_door, by_runserver, by_view, make_place
from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
NODE_PACKAGES = [
    "@modelcontextprotocol/inspector@2.12.0",
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "node@22",
]
for entry in ("demo=tests.mcp_endpoint.demo:Demo", "fixtures=tests.mcp_endpoint.fixtures_connector:Fixtures"):
    if entry not in settings.PORTICO_CONNECTORS:
        settings.PORTICO_CONNECTORS.append(entry)


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


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder of the official programs' packages, installed under var/node at first use."""
    folder = ROOT / "var" / "node"
    modules = folder / "node_modules"
    wanted = [modules / "node" / "bin" / "node"]
    wanted += [modules / "@modelcontextprotocol" / name for name in ("inspector", "conformance")]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes install once
        if not all(path.exists() for path in wanted):
            npm = shutil.which("npm")
            if npm is None:
                pytest.skip("npm is not installed, so the official programs cannot be driven")
            command = [npm, "install", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=30000",
                       "--prefix", folder]  # fmt: skip
            try:
                done = subprocess.run(
                    [*command, *NODE_PACKAGES], capture_output=True, text=True, timeout=180, check=False
                )
            except subprocess.TimeoutExpired:
                pytest.skip("npm did not install the official programs within three minutes")
            if done.returncode or not all(path.exists() for path in wanted):
                pytest.skip(f"npm could not install the official programs: {done.stderr[-300:]}")
    return modules
