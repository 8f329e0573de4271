"""Clients written in Python, each in an environment of its own where it needs one."""

import pytest

from tests.clients.conftest import Tenant, at_home
from tests.clients.places import run_python
from tests.clients.work import work
from tests.e2e.running import Place, connected

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")]
)
async def test_the_sdk_2_works_in_each_of_its_modes(bistro: Tenant, mode: str, version: str) -> None:
    async with connected(Place(bistro.slug, bistro.url, bistro.key), mode) as client:
        at_home(await work(client), version=version)


def test_the_sdk_1_lists_calls_reads_and_hears_progress(bistro: Tenant, tmp_path) -> None:
    told = run_python("py1", "py1_http.py", tmp_path, **bistro.facts)
    at_home(told, version="2025-11-25")
    assert told["session"]


def test_the_sdk_1_works_over_sse(bistro: Tenant, tmp_path) -> None:
    at_home(run_python("py1", "py1_sse.py", tmp_path, **bistro.sse_facts), version="2025-11-25")


@pytest.mark.parametrize("transport", ["streamable_http", "sse"])
def test_langchain_has_the_tools(bistro: Tenant, tmp_path, transport: str) -> None:
    facts = bistro.sse_facts if transport == "sse" else bistro.facts
    at_home(run_python("py1", "langchain_tools.py", tmp_path, transport, **facts))


def test_fastmcp_lists_calls_reads_and_hears_progress(bistro: Tenant, tmp_path) -> None:
    at_home(run_python("fastmcp", "fastmcp_http.py", tmp_path, **bistro.facts), version="2026-07-28")


def test_the_openai_agents_sdk_has_the_tools(bistro: Tenant, tmp_path) -> None:
    at_home(run_python("agents", "agents_http.py", tmp_path, **bistro.facts), version="2026-07-28")
