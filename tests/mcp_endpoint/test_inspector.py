"""The official inspector's command line against the real server; needs npm once, then its cache."""

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def inspector(node_tools: Path) -> list[str]:
    """The command, on the Node that it needs."""
    return [str(node_tools / "node" / "bin" / "node"), str(node_tools / ".bin" / "mcp-inspector")]


def run(inspector, url, key, era, method, *more):
    done = subprocess.run(
        [*inspector, "--cli", url, "--transport", "http", "--method", method, "--header",
         f"Authorization: Bearer {key}", "--protocol-era", era, "--format", "json", "-q", *more],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PATH": f"{Path(inspector[0]).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    return done


@pytest.mark.parametrize("era", ["modern", "legacy", "auto"])
def test_the_inspector_lists_and_calls(inspector, base_url, place, era):
    url = base_url + place.path
    listed = run(inspector, url, place.key, era, "tools/list", "--strict")
    assert listed.returncode == 0, listed.stderr
    assert "demo_add" in {tool["name"] for tool in _result(listed)["tools"]}
    called = run(
        inspector, url, place.key, era, "tools/call", "--tool-name", "demo_add", "--tool-arg", "a=2", "b=40"
    )
    assert called.returncode == 0, called.stderr
    assert _result(called)["structuredContent"] == {"total": 42}
    read = run(inspector, url, place.key, era, "resources/read", "--uri", "demo://rows/1")
    assert read.returncode == 0, read.stderr
    refused = run(inspector, url, "wrong", era, "tools/list")
    assert refused.returncode != 0


def _result(done):
    value = json.loads(done.stdout)
    return value.get("result", value)
