"""The clients' pages: one each, honest about what was tried, with texts that can be pasted."""

import json
import re
import tomllib

import pytest

from portico.client_config import client_configurations
from tests.clients.versions import NODE, PYTHON
from tests.docs.pages import KEY, ROOT, URL, blocks, pages

INDEX = "docs/clients.md"
OWN = sorted(page for page in pages() if page.startswith("docs/clients/"))
CLIENTS = {
    "chatgpt", "claude-agent-sdk", "claude-ai", "claude-code", "claude-desktop", "codex", "cursor", "gemini-cli",
    "inspector", "langchain", "openai-agents-sdk", "python", "typescript", "vscode",
}  # fmt: skip
# The pages of the clients that the tests connect, and the packages whose versions they name.
TESTED = {
    "claude-agent-sdk": ["claude-agent-sdk", "@anthropic-ai/claude-code"],
    "claude-code": ["@anthropic-ai/claude-code"],
    "claude-desktop": ["mcp-remote"],
    "gemini-cli": ["@google/gemini-cli"],
    "inspector": ["@modelcontextprotocol/inspector"],
    "langchain": ["langchain-mcp-adapters", "mcp"],
    "openai-agents-sdk": ["openai-agents"],
    "python": ["mcp", "fastmcp"],
    "typescript": ["@modelcontextprotocol/client", "@modelcontextprotocol/sdk"],
}
VERSIONS = {**NODE, **{name: version for packages in PYTHON.values() for name, version in packages.items()}}
WHERE = re.compile(r"^(http://127\.0\.0\.1:8000|https://portico\.example\.com)/t/[a-z][a-z0-9-]*/(mcp|sse)$")
SECRET = re.compile(rf"^(Bearer )?({KEY}|\$\{{(env:|input:)?[\w-]+\}})$")


def tried(page: str) -> str:
    """What a page says of what was tried."""
    found = re.search(r"^## What was tried\n+(.+)\Z", pages()[page].read_text(), re.MULTILINE | re.DOTALL)
    assert found, page
    return " ".join(found.group(1).split())


def test_each_client_has_its_page_and_the_index_leads_there() -> None:
    assert set(OWN) == {f"docs/clients/{name}.md" for name in CLIENTS}
    index = pages()[INDEX].read_text()
    assert not [page for page in OWN if f"]({page.removeprefix('docs/')})" not in index]


@pytest.mark.parametrize("page", OWN)
def test_each_page_says_what_was_tried_and_what_was_not(page: str) -> None:
    name = page.removeprefix("docs/clients/").removesuffix(".md")
    said = tried(page)
    assert ("in the tests" in said) == (name in TESTED)
    assert name in TESTED or "by hand" in said or said.startswith("Not tried")
    for package in TESTED.get(name, []):
        assert VERSIONS[package] in said, f"{page} names another version of {package}"


def test_the_index_names_the_versions_that_the_tests_use() -> None:
    index = pages()[INDEX].read_text()
    rows = [row for row in index.splitlines() if row.startswith("|") and "in the tests" in row]
    for name, version in VERSIONS.items():
        assert name == "node" or any(version in row for row in rows), f"{name} {version}"


@pytest.mark.parametrize("name", ["claude-ai", "chatgpt"])
def test_who_signs_in_with_oauth_is_told_that_it_is_not_offered_yet(name: str) -> None:
    text = pages()[f"docs/clients/{name}.md"].read_text()
    assert "OAuth" in text and "does not offer OAuth yet" in text


def values(part: object, name: str = "") -> list[tuple[str, str]]:
    """Every text in a configuration with the name that it stands under."""
    if isinstance(part, str):
        return [(name, part)]
    inner = (
        part.items()
        if isinstance(part, dict)
        else [("", value) for value in part]
        if isinstance(part, list)
        else []
    )
    return [row for key, value in inner for row in values(value, key)]


CONFIGURATIONS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in [*OWN, "docs/quickstart.md"]
    for number, block in enumerate(blocks(page))
    if block.language == "toml"
    or (block.language == "json" and re.search('"(mcpServers|servers|server_url)"', block.text))
]


@pytest.mark.parametrize("block", CONFIGURATIONS)
def test_a_configuration_parses_and_leads_to_a_tenant_with_a_key(block) -> None:
    read = json.loads(block.text) if block.language == "json" else tomllib.loads(block.text)
    found = values(read)
    urls = [value for _, value in found if value.startswith(("http://", "https://"))]
    assert urls and all(WHERE.match(url) for url in urls), urls
    secrets = [value for name, value in found if name in {"Authorization", "PORTICO_AUTHORIZATION"}]
    secrets += [f"${{{value}}}" for name, value in found if name == "bearer_token_env_var"]
    assert secrets and all(SECRET.match(value) for value in secrets), secrets


def test_the_pages_have_the_texts_that_make_run_prints() -> None:
    shown = [block for page in OWN for block in blocks(page)]
    texts = [block.text.strip() for block in shown]
    as_json = [json.loads(block.text) for block in shown if block.language == "json"]
    printed = client_configurations("bistro", f"{URL}/t/bistro/mcp", KEY)
    assert len(printed) == 5
    for client, text in printed:
        assert json.loads(text) in as_json if text.startswith("{") else text in texts, client


def test_the_versions_are_locked_as_the_table_says() -> None:
    package_json = json.loads((ROOT / "tests/clients/node/package.json").read_text())
    assert package_json["dependencies"] == NODE
    lock = json.loads((ROOT / "tests/clients/node/package-lock.json").read_text())
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in NODE} == NODE
    for environment, packages in PYTHON.items():
        locked = (ROOT / f"tests/clients/python/{environment}.txt").read_text().splitlines()
        for name, version in packages.items():
            assert any(line.startswith(f"{name}=={version} ") for line in locked), name
