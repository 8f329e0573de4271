"""Clients written in TypeScript."""

import pytest

from tests.clients.conftest import Tenant, at_home
from tests.clients.places import run_node

pytestmark = pytest.mark.e2e


def test_the_sdk_1_lists_calls_reads_and_hears_progress(bistro: Tenant, tmp_path) -> None:
    told = run_node("ts1.mjs", tmp_path, "http", **bistro.facts)
    at_home(told, version="2025-11-25", lossy=True)
    assert told["session"]


def test_the_sdk_1_works_over_sse(bistro: Tenant, tmp_path) -> None:
    at_home(run_node("ts1.mjs", tmp_path, "sse", **bistro.sse_facts), lossy=True)


@pytest.mark.parametrize(
    ("mode", "version"),
    [
        ("null", "2025-11-25"),
        ('"legacy"', "2025-11-25"),
        ('"auto"', "2026-07-28"),
        ('{"pin": "2026-07-28"}', "2026-07-28"),
    ],
)
def test_the_client_2_works_in_each_of_its_modes(bistro: Tenant, tmp_path, mode: str, version: str) -> None:
    at_home(run_node("ts2.mjs", tmp_path, mode, **bistro.facts), version=version, lossy=True)
