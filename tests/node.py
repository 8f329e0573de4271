"""Node.js and the official programs that run on it, installed once under ``var/node``."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKED = ROOT / "tests" / "clients" / "node"
FOLDER = ROOT / "var" / "node"
MODULES = FOLDER / "node_modules"
INSTALL_S = 180
# The others' install scripts build what these tests do not use.
WITH_SCRIPTS = ["node", "@anthropic-ai/claude-code"]


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Of several processes, let one after the other work in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(*files: Path) -> str:
    """What tells whether an installation belongs to these files."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder of the installed packages."""
    return installed()


def installed() -> Path:
    """Install the locked packages unless they are there; skips where npm or its registry is away."""
    locked = [LOCKED / "package.json", LOCKED / "package-lock.json"]
    stamp = MODULES / ".portico"
    with one_at_a_time(FOLDER):
        if not stamp.exists() or stamp.read_text() != digest(*locked):
            npm = shutil.which("npm")
            if npm is None:
                pytest.skip("npm is not installed, so the official programs cannot be driven")
            fresh = FOLDER / "fresh"  # a folder of its own: others may be using the old one
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            for path in locked:
                shutil.copy(path, fresh)
            _npm(npm, fresh, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            _npm(npm, fresh, "rebuild", *WITH_SCRIPTS)
            (fresh / "node_modules" / stamp.name).write_text(digest(*locked))
            old = FOLDER / "old"
            shutil.rmtree(old, ignore_errors=True)
            if MODULES.exists():
                MODULES.rename(old)
            (fresh / "node_modules").rename(MODULES)
            shutil.rmtree(old, ignore_errors=True)
            shutil.rmtree(fresh, ignore_errors=True)
    return MODULES


def _npm(npm: str, folder: Path, *arguments: str) -> None:
    patience = ["--fetch-retries=1", "--fetch-timeout=30000", "--prefix", str(folder)]
    try:
        done = subprocess.run(
            [npm, *arguments, *patience],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm {arguments[0]} did not end within {INSTALL_S} seconds")
    if done.returncode:
        pytest.skip(f"npm {arguments[0]} could not install the official programs: {done.stderr[-300:]}")


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a program that finds our Node and nobody's settings."""
    path = os.pathsep.join([str(MODULES / "node" / "bin"), str(MODULES / ".bin"), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(home), "NO_COLOR": "1", **more}
