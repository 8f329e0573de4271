"""Programs that people connect: what their own commands say of a Portico, with a home of their own."""

import json
import re
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client

from portico.client_config import client_configurations
from tests import node
from tests.clients.conftest import Tenant, at_home, revisions
from tests.clients.work import work
from tests.e2e.inspector import Inspector
from tests.e2e.running import Place

pytestmark = pytest.mark.e2e


def pasted(tenant: Tenant, client: str) -> str:
    """The text that Portico gives its users for a client."""
    texts = client_configurations("bistro", tenant.url, tenant.key)
    return next(text for name, text in texts if name.startswith(client))


def said(command: list[Any] | str, home: Path, **more: str) -> str:
    """What a program says; a text is a line in a shell."""
    done = subprocess.run(
        command, shell=isinstance(command, str), cwd=home, env=node.environment(home, **more), timeout=60,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


QUIET = {
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
}


def test_claude_code_connects(bistro: Tenant, node_tools: Path, tmp_path: Path) -> None:
    said(pasted(bistro, "Claude Code"), tmp_path, **QUIET)
    assert re.search(
        r"bistro: \S+ \(HTTP\) - . Connected", said(["claude", "mcp", "list"], tmp_path, **QUIET)
    )
    assert revisions(bistro, "claude-code") == {"2026-07-28"}


def test_claude_code_connects_over_sse(bistro: Tenant, node_tools: Path, tmp_path: Path) -> None:
    header = f"Authorization: Bearer {bistro.key}"
    said(
        ["claude", "mcp", "add", "--transport", "sse", "old", bistro.sse_url, "--header", header],
        tmp_path,
        **QUIET,
    )
    assert re.search(r"old: \S+ \(SSE\) - . Connected", said(["claude", "mcp", "list"], tmp_path, **QUIET))


def test_gemini_connects(bistro: Tenant, node_tools: Path, tmp_path: Path) -> None:
    settings = tmp_path / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(pasted(bistro, "Gemini CLI"))
    # As somebody who said in this folder that it is trusted: in others it connects to nothing.
    trust = {"GEMINI_CLI_TRUST_WORKSPACE": "true"}
    assert re.search(r"bistro: .*- Connected", said(["gemini", "mcp", "list"], tmp_path, **trust))
    assert revisions(bistro, "mcp-test-client") == {"2025-06-18"}  # so it calls itself there


@asynccontextmanager
async def through_mcp_remote(home: Path, url: str, mode: str, *more: str, **variables: str):
    server = StdioServerParameters(
        command=str(node.MODULES / "node" / "bin" / "node"),
        args=[str(node.MODULES / "mcp-remote" / "dist" / "proxy.js"), url, *more],
        env=node.environment(home, **variables),
    )
    with (home / "complaints").open("w") as complaints:
        async with mcp.Client(stdio_client(server, errlog=complaints), mode=mode) as client:
            yield client


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")])
async def test_mcp_remote_carries_a_stdio_client(
    bistro: Tenant, node_tools: Path, tmp_path: Path, mode: str, version: str
) -> None:
    given = json.loads(pasted(bistro, "Claude Desktop"))["mcpServers"]["bistro"]
    assert given["args"][:3] == ["-y", "mcp-remote", bistro.url]
    async with through_mcp_remote(
        tmp_path, *given["args"][2:3], mode, *given["args"][3:], **given["env"]
    ) as client:
        at_home(await work(client), version=version, lossy=True)


async def test_mcp_remote_finds_the_older_transport(bistro: Tenant, node_tools: Path, tmp_path: Path) -> None:
    header = ("--header", f"Authorization:Bearer {bistro.key}", "--transport", "sse-only")
    async with through_mcp_remote(tmp_path, bistro.sse_url, "legacy", *header) as client:
        at_home(await work(client), lossy=True)


def test_the_inspectors_command_line_works_in_both_eras(
    bistro: Tenant, node_tools: Path, tmp_path: Path
) -> None:
    with Inspector(node_tools, tmp_path, Place(bistro.slug, bistro.url, bistro.key)) as inspector:
        for era in ("modern", "legacy", "auto"):
            tools = [tool["name"] for tool in inspector.ask(era, "tools/list", "--strict")["tools"]]

            def call(name: str, era: str = era, **arguments: Any) -> Any:
                text = json.dumps(arguments)
                told = inspector.ask(era, "tools/call", "--tool-name", name, "--tool-args-json", text)
                return told["structuredContent"]

            menu = call("list_menu_items", limit=2)
            goal = call("create_goal", description="Greet from the inspector")
            call("cache_set", key="inspector", value={"text": "größer"})
            read = inspector.ask(era, "resources/read", "--uri", "restaurant://menu_items/MARGHE01")
            at_home({
                "tools": tools, "menu": menu, "goal": goal, "cached": call("cache_get", key="inspector"),
                "resource": read["contents"][0]["text"],
            })  # fmt: skip
