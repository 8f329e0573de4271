import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from connectors.upstream import retry
from tests.doubles.confluence import Confluence
from tests.doubles.fixtures import double_fixture
from tests.doubles.github import GitHub
from tests.doubles.jira import Jira
from tests.doubles.salesforce import Salesforce
from tests.upstream.conftest import Ctx

jira = double_fixture(Jira, check_answers=True)
github = double_fixture(GitHub, check_answers=True)
confluence = double_fixture(Confluence, check_answers=True)
salesforce = double_fixture(Salesforce, check_answers=True)


@pytest.fixture
def ctx() -> Callable[..., Any]:
    return lambda seconds=20.0: Ctx(time.monotonic() + seconds)


@pytest.fixture
def sandbox(settings, monkeypatch) -> None:
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.005)


@pytest.fixture
async def ada(jira) -> AsyncIterator[httpx2.AsyncClient]:
    """Jira's Ada, who may do everything."""
    async with httpx2.AsyncClient(
        base_url=jira.url, auth=("ada@example.com", "sandbox-jira-token")
    ) as client:
        yield client
    await asyncio.sleep(0)


@pytest.fixture
async def octo(github) -> AsyncIterator[httpx2.AsyncClient]:
    """GitHub's octo, who may do everything."""
    headers = {"authorization": "Bearer sandbox-github-token"}
    async with httpx2.AsyncClient(base_url=github.url, headers=headers) as client:
        yield client
    await asyncio.sleep(0)


@pytest.fixture
async def writer(confluence) -> AsyncIterator[httpx2.AsyncClient]:
    """Confluence's Ada, who may do everything."""
    pair = ("ada@example.com", "sandbox-confluence-token")
    async with httpx2.AsyncClient(base_url=confluence.url, auth=pair) as client:
        yield client
    await asyncio.sleep(0)


@pytest.fixture
async def seller(salesforce) -> AsyncIterator[httpx2.AsyncClient]:
    """Salesforce's Ada, with a session."""
    headers = {"authorization": "Bearer sandbox-salesforce-session"}
    async with httpx2.AsyncClient(base_url=salesforce.url, headers=headers) as client:
        yield client
    await asyncio.sleep(0)
