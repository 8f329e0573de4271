"""A tenant with a GitHub connection to the double; tools are called the whole way, from the endpoint."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from common.db import in_db
from connectors.providers.github import pacing
from connectors.providers.github.connector import GitHub as Connector
from connectors.services import credential_set, switch_set
from connectors.upstream import retry
from tests.doubles.fixtures import double_fixture
from tests.doubles.github import GitHub
from tests.doubles.github.apps import APP_ID, INSTALLATION
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import Place, by_door, make_place, modern

REPO = "octo/hello-world"
PAT = {"method": "classic", "token": "sandbox-github-token"}

github = double_fixture(GitHub, check_answers=True)


@dataclass
class Desk:
    """A place that calls GitHub's tools."""

    place: Place
    connection: Any

    async def result(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The whole result of a call."""

        got = await by_door(modern(self.place, "tools/call", {"name": tool, "arguments": arguments}))
        return got.result

    async def read(self, uri: str) -> Any:
        """A resource's reading: its contents, or the protocol's error."""
        answer = (await by_door(modern(self.place, "resources/read", {"uri": uri}))).json
        return answer["result"]["contents"][0] if "result" in answer else answer["error"]

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        """What a call gives; its error where it fails."""
        got = await self.result(tool, **arguments)
        return got.get("structuredContent") or json.loads(got["content"][0]["text"])


Opening = Callable[..., Awaitable[Desk]]


@pytest.fixture(autouse=True)
def sandbox(settings, monkeypatch) -> None:
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.005)
    monkeypatch.setattr(pacing, "APART_S", 0.002)


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def app(github, key) -> dict[str, str]:
    """A GitHub App's credential, which the double knows."""
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    github.app_key = public.decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return {
        "method": "app", "app_id": APP_ID, "installation_id": str(INSTALLATION), "private_key": private.decode(),
    }  # fmt: skip


@pytest.fixture
def open_desk(github) -> Opening:
    """Makes a tenant with a connection: ``await open_desk(repositories=[...], credential={...})``."""

    async def opening(
        *,
        credential: dict[str, Any] | None = None,
        cache: bool = False,
        role: str = "operator",
        **settings: Any,
    ) -> Desk:
        return await in_db(_desk, github.url, credential or PAT, cache, role, settings)

    return opening


def _desk(url: str, credential: dict[str, Any], cache: bool, role: str, settings: dict[str, Any]) -> Desk:
    place = make_place(role, ())
    row = make_connection(
        place.tenant,
        "github",
        settings={"url": url, **settings},
        credential_mode="shared",
        cache={"enabled": cache},
    )
    credential_set(connection=row, values=credential, actor=SYSTEM)
    for toolset in sorted({spec.toolset for spec in Connector.tools.values()}):
        switch_set(row, actor=SYSTEM, toolset=toolset, enabled=True)
    return Desk(place, row)


@pytest.fixture
async def desk(open_desk) -> Desk:
    """A connection with every tool switched on, whose results are not kept."""
    made: Desk = await open_desk()
    return made
