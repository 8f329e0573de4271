"""A running Portico with a database of its own, and a browser to look at it."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
START_S = 60


@dataclass(frozen=True)
class Running:
    """Where Portico runs and who may sign in."""

    url: str
    username: str
    password: str

    def admin(self, path: str = "") -> str:
        return f"{self.url}/admin/{path}"


def environment(folder: Path, port: int, prefix: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PORTICO_", "DJANGO_", "DATABASE_"))}
    return {
        **kept,
        "PORTICO_ENV": "quickstart",
        "PORTICO_VAR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'portico.sqlite3'}",
        "REDIS_URL": os.environ["REDIS_URL"],
        "PORT": str(port),
        "PORTICO_PUBLIC_URL": f"http://127.0.0.1:{port}{prefix}",
        "DJANGO_SETTINGS_MODULE": "portico.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture(scope="module")
def portico(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Below a prefix, where every address that forgets it goes astray; at the root it is the quick start's test."""
    prefix, folder, port = "/portico", tmp_path_factory.mktemp("portico"), free_port()
    env = environment(folder, port, prefix)
    running = Running(f"http://127.0.0.1:{port}{prefix}", "root", secrets.token_urlsafe(12))
    account = {"DJANGO_SUPERUSER_PASSWORD": running.password}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--skip-checks", "-v0"], cwd=ROOT, env=env, check=True)
    subprocess.run(
        [*manage, "createsuperuser", "--noinput", "--username", running.username, "--email", "root@example.com"],
        cwd=ROOT, env={**env, **account}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    log = (folder / "web.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "portico.asgi:application", "--port", str(port), "--log-level", "warning"],
        cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        wait_for(f"{running.url}/healthz", server, folder / "web.log")
        yield running
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()


def wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    import httpx2

    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"The server ended:\n{log.read_text()[-3000:]}")
        try:
            if httpx2.get(url).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"The server did not answer:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for one module: while it is open, Django refuses the ORM in this thread."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = os.environ.get("CHROMIUM") or next((p for p in CHROMIUM if Path(p).exists()), None)
    if path is None:
        pytest.skip("no Chromium is installed (apt install chromium, or set CHROMIUM to its path)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield opened
        opened.close()
