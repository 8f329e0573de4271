"""The programs that the clients' pages show, run as they stand there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import node
from tests.clients.conftest import Tenant
from tests.clients.places import python_of
from tests.docs.pages import KEY, URL, blocks

pytestmark = pytest.mark.e2e


def shown(tenant: Tenant, page: str, number: int) -> str:
    """A page's program, with this tenant's address and key in place of those that are printed."""
    programs = [
        block.text for block in blocks(f"docs/clients/{page}.md") if block.language in {"python", "js"}
    ]
    text = programs[number].replace(f"{URL}/t/bistro/mcp", tenant.url).replace(KEY, tenant.key)
    assert tenant.url in text and tenant.key in text
    return text


def printed(command: list[object], text: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [*command, "-"], input=text, env=environment, timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout[-1000:], done.stderr[-3000:])
    return done.stdout


@pytest.mark.parametrize(
    ("page", "number", "environment"),
    [
        ("python", 0, ""), ("python", 1, "py1"), ("python", 2, "fastmcp"), ("langchain", 0, "py1"),
        ("openai-agents-sdk", 0, "agents"),
    ],
)  # fmt: skip
def test_a_program_in_python_lists_and_calls(
    bistro: Tenant, tmp_path: Path, page: str, number: int, environment: str
) -> None:
    python = python_of(environment) if environment else sys.executable
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    said = printed([python], shown(bistro, page, number), variables)
    assert " tools\n" in said and "item_id" in said, said


@pytest.mark.parametrize("number", [0, 1])
def test_a_program_in_javascript_lists_and_calls(
    bistro: Tenant, node_tools: Path, tmp_path: Path, number: int
) -> None:
    command = [node.MODULES / "node" / "bin" / "node", "--input-type=module"]
    done = subprocess.run(
        [*command, "--eval", shown(bistro, "typescript", number)], cwd=node.FOLDER, env=node.environment(tmp_path),
        timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert " tools\n" in done.stdout and "item_id" in done.stdout


def test_the_claude_agent_sdk_reaches_the_tools(bistro: Tenant, node_tools: Path, tmp_path: Path) -> None:
    quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    said = printed(
        [python_of("claude_agent")], shown(bistro, "claude-agent-sdk", 0), node.environment(tmp_path, **quiet)
    )
    assert said.startswith("connected ") and int(said.split()[1]) > 50, said
