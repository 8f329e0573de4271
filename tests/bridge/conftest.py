"""A real gunicorn that can be restarted on its port, and the bridge as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import mcp
import pytest
from django.conf import settings
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.live import ROOT, Live

NAMED = {"demo": "demo=tests.mcp_endpoint.demo:Demo", "asker": "asker=tests.mcp_endpoint.asker:Asker"}
for entry in NAMED.values():
    if entry not in settings.PORTICO_CONNECTORS:
        settings.PORTICO_CONNECTORS.append(entry)


class Restartable(Live):
    """Portico with two workers, which can go away and come back."""

    def __init__(self, folder: Path) -> None:
        named = ",".join([os.environ["PORTICO_CONNECTORS"], *NAMED.values()])
        super().__init__(folder, PORTICO_CONNECTORS=named, PORTICO_DRAIN_S="2")

    def start(self) -> None:
        """Serve again where it served before."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).parent / "gunicorn"), "-c", str(ROOT / "gunicorn.conf.py"),
                 "-b", f"127.0.0.1:{self.port}", "-w", str(self.workers), "portico.asgi:application"],
                cwd=ROOT, env=self.env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def url(self, place) -> str:
        return f"http://127.0.0.1:{self.port}{place.path}"


@pytest.fixture(scope="package")
def server(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    made = Restartable(tmp_path_factory.mktemp("bridge"))
    yield made
    made.stop()


def bridge_env(key: str | None, **more: str) -> dict[str, str]:
    """What the bridge is started with: nothing of Portico but its own package."""
    return {
        "PYTHONPATH": str(ROOT / "bridge" / "src"),
        **({"PORTICO_ACCESS_KEY": key} if key else {}),
        **more,
    }


def bridge_command(url: str) -> list[str]:
    return [sys.executable, "-m", "portico_stdio", "--url", url]


@asynccontextmanager
async def bridged(server, place, mode, *, key=None, errors=None, **more):
    """The official client, speaking stdio to the bridge."""
    command, *arguments = bridge_command(server.url(place))
    parameters = StdioServerParameters(command=command, args=arguments, env=bridge_env(key or place.key))
    transport = stdio_client(parameters, **({"errlog": errors} if errors else {}))
    async with mcp.Client(transport, mode=mode, **more) as client:
        yield client
