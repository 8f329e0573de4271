"""Python environments of older or other clients, under ``var/clients``, and how they are run."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from tests import node
from tests.clients.versions import FROM_SOURCE, lock_of

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = Path(__file__).resolve().parent
INSTALL_S = 150


def python_of(name: str) -> Path:
    """The interpreter of an environment, made and filled at first use; skips where PyPI is away."""
    folder = ROOT / "var" / "clients" / name
    interpreter, stamp = folder / "venv" / "bin" / "python", folder / "stamp"
    lock = lock_of(name)
    with node.one_at_a_time(folder):
        if not stamp.exists() or stamp.read_text() != node.digest(lock):
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder / "venv", ignore_errors=True)
            venv.create(folder / "venv", symlinks=True)
            uv = Path(sys.executable).parent / "uv"
            command = [uv, "pip", "install", "-q", "--python", interpreter, "--require-hashes", "-r", lock]
            if name in FROM_SOURCE:
                command += ["--no-binary", FROM_SOURCE[name]]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=INSTALL_S, check=False,
                    env={**os.environ, "UV_HTTP_TIMEOUT": "30"},
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                pytest.skip(f"the packages of {name} were not installed within {INSTALL_S} seconds")
            if done.returncode:
                pytest.skip(f"the packages of {name} could not be installed: {done.stderr[-300:]}")
            stamp.write_text(node.digest(lock))
    return interpreter


def run_python(name: str, script: str, home: Path, *arguments: str, **facts: str) -> Any:
    """What a script of ``python/`` tells, run in an environment."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONWARNINGS": "ignore", **facts}
    return _told([python_of(name), SCRIPTS / "python" / script, *arguments], variables)


def run_node(script: str, home: Path, *arguments: str, **facts: str) -> Any:
    """What a script of ``node/`` tells. It runs beside the packages, where its imports find them."""
    node.installed()
    for source in (SCRIPTS / "node").glob("*.mjs"):
        copy, text = node.FOLDER / source.name, source.read_text()
        if not copy.exists() or copy.read_text() != text:
            draft = copy.with_suffix(f".{os.getpid()}")
            draft.write_text(text)
            draft.rename(copy)  # another process may be running it
    return _told(
        [node.MODULES / "node" / "bin" / "node", node.FOLDER / script, *arguments],
        node.environment(home, **facts),
    )


def _told(command: list[Any], variables: dict[str, str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=variables)
    assert done.returncode == 0, (done.stdout[-1000:], done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])
