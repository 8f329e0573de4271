"""The official inspector's command line, one process per question."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.running import Place
from tests.e2e.walks import Walk


class Inspector:
    """Asks one tenant, as somebody in a terminal would."""

    def __init__(self, modules: Path, home: Path, place: Place) -> None:
        self.node = modules / "node" / "bin" / "node"
        self.program = modules / ".bin" / "mcp-inspector"
        self.place = place
        path = f"{self.node.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "HOME": str(home)}

    def run(self, era: str, method: str, *more: str) -> "subprocess.CompletedProcess[str]":
        """One run; ``era`` is modern, legacy or auto."""
        header = f"Authorization: {self.place.headers['Authorization']}"
        return subprocess.run(
            [self.node, self.program, "--cli", self.place.url, "--transport", "http", "--method", method,
             "--header", header, "--protocol-era", era, "--format", "json", "-q", *more],
            capture_output=True, text=True, timeout=90, check=False, env=self.environment,
        )  # fmt: skip

    def ask(self, era: str, method: str, *more: str) -> Any:
        """The result of a run that succeeds."""
        done = self.run(era, method, *more)
        assert done.returncode == 0, (method, more, done.stderr[-2000:])
        answer = json.loads(done.stdout)
        return answer.get("result", answer)

    def call(self, era: str, name: str, arguments: dict[str, Any]) -> Any:
        """A tool's answer."""
        return self.ask(era, "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))

    def walk(self, steps: Walk, eras: Iterator[str]) -> set[str]:
        """Take a walk, each call in the next era; the names of the tools that were called."""
        called = set()
        name, arguments = next(steps)
        while True:
            answer = self.call(next(eras), name, arguments)
            assert not answer.get("isError"), (name, answer)
            called.add(name)
            try:
                name, arguments = steps.send(answer["structuredContent"])
            except StopIteration:
                return called
