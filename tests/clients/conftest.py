"""A Portico with two workers, as in production, and a tenant with the sample connections."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from mcp_endpoint.client_counts import clients_of
from tests.e2e.walks import ALL_NAMES, a_year
from tests.live import Live, eventually
from tests.mcp_endpoint.speak import make_place
from tests.node import node_tools

__all__ = ["node_tools"]  # a fixture


@dataclass(frozen=True)
class Tenant:
    """Where a client is pointed to."""

    id: UUID
    slug: str
    base: str
    key: str

    @property
    def url(self) -> str:
        return f"{self.base}/t/{self.slug}/mcp"

    @property
    def sse_url(self) -> str:
        return f"{self.base}/t/{self.slug}/sse"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def facts(self) -> dict[str, str]:
        """What the scripts read from their environment."""
        return {"URL_": self.url, "KEY": self.key, "PERIOD": json.dumps(a_year())}

    @property
    def sse_facts(self) -> dict[str, str]:
        """The same for a client of the older transport."""
        return {**self.facts, "URL_": self.sse_url}


@pytest.fixture(scope="session")
def bistro(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """It has what the sample tenant of `make run` has."""
    server = Live(tmp_path_factory.mktemp("clients"), workers=2)
    place = make_place(connectors=("restaurant", "goals", "memory"))
    yield Tenant(place.tenant.pk, place.tenant.slug, f"http://127.0.0.1:{server.port}", place.key)
    server.stop()


def revisions(tenant: Tenant, client: str) -> set[str]:
    """Which revisions of the protocol a client spoke, by the server's own count."""
    return eventually(
        lambda: {
            row.revision for row in clients_of(tenant.id) if row.name.startswith(client) and row.revision
        },
        20,
    )


def at_home(told: dict[str, Any], *, version: str | None = None, lossy: bool = False) -> None:
    """What a client tells of its work is what every client should have got."""
    assert set(told["tools"]) >= ALL_NAMES and len(told["tools"]) == len(set(told["tools"]))
    assert told["menu"]["count"] == 2 and told["menu"]["items"][0]["item_id"]
    assert told["goal"]["id"].startswith("GOAL-")
    assert told["cached"]["value"] == {"text": "größer"}
    assert json.loads(told["resource"])["item_id"] == "MARGHE01"
    if "progress" in told:
        total = int(told["progress"][0][1])
        steps = [done for done, _ in told["progress"]]
        # The TypeScript SDKs forget who asked for progress with the answer, and hand a notification
        # on one step later: the last one is lost when both arrive at once.
        assert steps == list(range(1, total + 1)) or (lossy and steps == list(range(1, total)))
    if "refused" in told:
        assert "key" in told["refused"] and "validation" in told["refused"]
        assert "Unknown tool: nothing_at_all" in told["unknown"]
    assert version is None or told["version"] == version
