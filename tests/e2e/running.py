"""What `make run` starts, in a folder of its own, and the official clients connected to it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client

from tests.frame.test_quickstart import QuickStart
from tests.services import free_port


@dataclass(frozen=True)
class Place:
    """A tenant's URL and a key to it."""

    slug: str
    url: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


class House:
    """A running Portico and the facts it wrote down for its user."""

    def __init__(self, quick: QuickStart) -> None:
        self.quick = quick
        self.facts: dict[str, Any] = quick.facts()
        self.url = f"http://127.0.0.1:{quick.port}"
        self.bistro, self.harbor = (
            Place(tenant["slug"], tenant["mcp_url"], tenant["access_key"]) for tenant in self.facts["tenants"]
        )

    def api(self, method: str, path: str, **body: Any) -> Any:
        """A call of the REST API as the administrator."""
        answer = httpx2.request(
            method,
            f"{self.url}/api/v1/{path}",
            json=body or None,
            auth=(self.facts["username"], self.facts["password"]),
            timeout=30,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def place(self, role: str, name: str, slug: str = "bistro", **rights: Any) -> Place:
        """A key of a new service account."""
        made = self.api(
            "POST", f"tenants/{slug}/access-keys", name=name, service_account=name, role=role, **rights
        )
        return Place(slug, f"{self.url}/t/{slug}/mcp", made["secret"])


@pytest.fixture(scope="session")
def running() -> Iterator[House]:
    """A first start, as a new user has it; ended with the session."""
    with tempfile.TemporaryDirectory(prefix="ptcc-") as folder:
        quick = QuickStart(Path(folder) / "var", free_port())
        quick.start()
        try:
            yield House(quick)
        finally:
            if quick.process is not None and quick.process.poll() is None:
                quick.stop()


@asynccontextmanager
async def connected(place: Place, mode: str = "auto") -> AsyncIterator[mcp.Client]:
    """The official Python client."""
    async with (
        httpx2.AsyncClient(headers=place.headers, timeout=60) as http,
        mcp.Client(streamable_http_client(place.url, http_client=http), mode=mode) as client,
    ):
        yield client
