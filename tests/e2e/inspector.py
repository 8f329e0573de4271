"""The official inspector's command line."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.e2e.running import Place
from tests.e2e.walks import Walk

KEEPER = Path(__file__).with_name("inspector.mjs")


class Inspector:
    """Asks one tenant. As a context it keeps one process for all that it asks."""

    def __init__(self, modules: Path, home: Path, place: Place) -> None:
        self.node = modules / "node" / "bin" / "node"
        self.program = modules / ".bin" / "mcp-inspector"
        self.command_line = modules / "@modelcontextprotocol/inspector/clients/cli/build/index.js"
        self.place = place
        path = f"{self.node.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "HOME": str(home)}

    def arguments(self, era: str, method: str, *more: str) -> list[str]:
        """What is typed; ``era`` is modern, legacy or auto."""
        header = f"Authorization: {self.place.headers['Authorization']}"
        return [
            self.place.url, "--transport", "http", "--method", method, "--header", header,
            "--protocol-era", era, "--format", "json", "-q", *more,
        ]  # fmt: skip

    def run(self, era: str, method: str, *more: str) -> "subprocess.CompletedProcess[str]":
        """One run of the program, as somebody in a terminal starts it."""
        return subprocess.run(
            [self.node, self.program, "--cli", *self.arguments(era, method, *more)],
            capture_output=True, text=True, timeout=90, check=False, env=self.environment,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self.complaints = tempfile.TemporaryFile("w+")
        self.kept = subprocess.Popen(
            [self.node, KEEPER, self.command_line], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.complaints, text=True, env=self.environment,
        )  # fmt: skip
        return self

    def __exit__(self, *raised: object) -> None:
        self.kept.kill()
        self.kept.communicate()
        self.complaints.close()

    def ask(self, era: str, method: str, *more: str) -> Any:
        """The result of a run that succeeds."""
        assert self.kept.stdin is not None and self.kept.stdout is not None
        self.kept.stdin.write(json.dumps(self.arguments(era, method, *more)) + "\n")
        self.kept.stdin.flush()
        answer: Any = None
        for line in self.kept.stdout:
            said = json.loads(line) if line.strip() else {}
            if "failed" in said:
                assert not said["failed"], (method, more, said["failed"])
                return answer["result"]
            answer = said or answer
        self.complaints.seek(0)
        raise AssertionError(f"the inspector ended: {self.complaints.read()[-2000:]}")

    def walk(self, steps: Walk, eras: Iterator[str]) -> set[str]:
        """Take a walk, each call in the next era; the names of the tools that were called."""
        called = set()
        name, arguments = next(steps)
        while True:
            answer = self.ask(
                next(eras), "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments)
            )
            assert not answer.get("isError"), (name, answer)
            called.add(name)
            try:
                name, arguments = steps.send(answer["structuredContent"])
            except StopIteration:
                return called
