"""Which clients Portico is tried with, in exact versions; the one place to change them.

``python -m tests.clients.versions`` writes what is made of the table: ``node/package.json`` with
its lock file, and one locked list of requirements for each Python environment.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The packages from npm, in one folder under var/node.
NODE = {
    "@anthropic-ai/claude-code": "2.1.329",
    "@google/gemini-cli": "0.61.0",
    "@modelcontextprotocol/client": "2.4.0",
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    "@modelcontextprotocol/inspector": "2.12.0",
    "@modelcontextprotocol/sdk": "1.32.2",
    "mcp-remote": "0.15.1",
    "node": "22.23.3",
}
# The packages from PyPI that cannot share Portico's environment, by the environment under var/clients.
PYTHON = {
    "py1": {"mcp": "1.30.0", "langchain-mcp-adapters": "0.3.2"},
    "fastmcp": {"fastmcp": "4.1.2"},
    "agents": {"openai-agents": "0.24.0"},
    "claude_agent": {"claude-agent-sdk": "0.2.187"},
}
# Built from source: its wheels bring a whole Claude Code, and the one from npm serves.
FROM_SOURCE = {"claude_agent": "claude-agent-sdk"}


def package_json() -> str:
    """The text of ``node/package.json``."""
    return (
        json.dumps({"name": "portico-test-clients", "private": True, "dependencies": NODE}, indent=2) + "\n"
    )


def lock_of(environment: str) -> Path:
    """Where the locked requirements of a Python environment are."""
    return HERE / "python" / f"{environment}.txt"


def wanted(environment: str) -> list[str]:
    """The lines that an environment's lock is compiled from."""
    return [f"{name}=={version}" for name, version in PYTHON[environment].items()]


def write() -> None:
    """Write everything that is made of the table; needs npm and the package registries."""
    npm = shutil.which("npm") or sys.exit("npm is not installed")
    (HERE / "node" / "package.json").write_text(package_json())
    subprocess.run(
        [npm, "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"],
        cwd=HERE / "node", check=True,
    )  # fmt: skip
    for name in PYTHON:
        subprocess.run(
            [Path(sys.executable).parent / "uv", "pip", "compile", "-q", "--universal", "--python-version", "3.11",
             "--generate-hashes", "--no-header", "--no-annotate", "-", "-o", lock_of(name)],
            input="\n".join(wanted(name)), text=True, check=True,
        )  # fmt: skip


if __name__ == "__main__":
    write()
