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
from tests.clients.conftest import Tenant, at_home
from tests.e2e.walks import a_year

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
    assert re.search(r"bistro: .*- Connected", said(["gemini", "mcp", "list"], tmp_path))


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
        at_home({**await work(client), "version": client.protocol_version}, version=version)


async def test_mcp_remote_finds_the_older_transport(bistro: Tenant, node_tools: Path, tmp_path: Path) -> None:
    header = ("--header", f"Authorization:Bearer {bistro.key}", "--transport", "sse-only")
    async with through_mcp_remote(tmp_path, bistro.sse_url, "legacy", *header) as client:
        at_home(await work(client))


async def work(client: mcp.Client) -> dict[str, Any]:
    """What every client is asked to do."""

    async def call(name: str, **arguments: Any) -> Any:
        return (await client.call_tool(name, arguments)).structured_content

    progress: list[Any] = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total))

    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [tool.name for tool in page.tools]
        if (cursor := page.next_cursor) is None:
            break
    menu = await call("list_menu_items", limit=2)
    goal = await call("create_goal", description="Greet through a bridge")
    await call("cache_set", key="bridge", value={"text": "größer"})
    cached = await call("cache_get", key="bridge")
    read = (await client.read_resource("restaurant://menu_items/MARGHE01")).contents[0].text
    await client.call_tool("generate_report", {"report_type": "sales", **a_year()}, progress_callback=note)
    return {
        "tools": tools,
        "menu": menu,
        "goal": goal,
        "cached": cached,
        "resource": read,
        "progress": progress,
    }
