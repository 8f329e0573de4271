"""Portico in real processes: gunicorn with its workers, and connections to each of them.

By default the servers share the test database, so that a test prepares tenants through the
factories and is itself "another process". ``own_database`` makes an empty one, filled with
:func:`run_code`.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from benchmarks.servers import Server
from tests.mcp_endpoint.speak import Answer, Place, Post, legacy, modern
from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent


def database_url(name: str | None = None) -> str:
    """The test database for another process, or another database beside it."""
    parts = connection.settings_dict
    name = name or str(parts["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return f"postgres://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{name}"


def own_database(folder: Path, name: str) -> str:
    """The URL of a new, empty database of the kind that the suite runs on."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{folder / f'{name}.sqlite3'}"
    with psycopg.connect(database_url("postgres"), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
    return database_url(name)


def environment(url: str | None = None, **more: str) -> dict[str, str]:
    """The environment of a process that uses a database."""
    return {
        **os.environ,
        "DATABASE_URL": url or database_url(),
        "DJANGO_SETTINGS_MODULE": "portico.settings",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        **more,
    }


def run_code(code: str, env: dict[str, str]) -> Any:
    """Run code in a process of its own, after ``django.setup()``; what it prints last, as JSON."""
    started = "import json, django; django.setup()\n" + code
    done = subprocess.run(
        [sys.executable, "-c", started], cwd=ROOT, env=env, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def manage(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a management command in a process of its own."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env or environment(), capture_output=True,
        text=True, timeout=180,
    )  # fmt: skip


class Line:
    """A keep-alive connection to one worker."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def send(self, post: Post) -> Answer:
        self.http.request(post.method, post.path, post.body or None, dict(post.headers))
        return self.read()

    def read(self) -> Answer:
        response = self.http.getresponse()
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())

    def call(self, place: Place, tool: str, /, **arguments: Any) -> Answer:
        return self.send(modern(place, "tools/call", {"name": tool, "arguments": arguments}))

    def legacy_call(self, place: Place, tool: str, /, **arguments: Any) -> Answer:
        return self.send(legacy(place, "tools/call", {"name": tool, "arguments": arguments}))

    def get(self, path: str, key: str = "") -> Answer:
        return self.send(Post(path, b"", [("authorization", f"Bearer {key}")] if key else [], "GET"))

    def close(self) -> None:
        self.http.close()


class Live(Server):
    """gunicorn with ``workers`` processes; its output goes to ``log``."""

    def __init__(self, folder: Path, *, workers: int = 2, url: str | None = None, **env: str) -> None:
        self.port = free_port()
        self.log = folder / f"gunicorn-{self.port}.log"
        self.env = environment(url, **{"LOG_LEVEL": "INFO", **env})
        self.workers = workers
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).parent / "gunicorn"), "-c", str(ROOT / "gunicorn.conf.py"),
                 "-b", f"127.0.0.1:{self.port}", "-w", str(workers), "portico.asgi:application"],
                cwd=ROOT, env=self.env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            self._wait()
        except RuntimeError as error:
            self.stop()
            raise AssertionError(self.log.read_text()[-3000:]) from error
        except BaseException:  # Ctrl-C while it starts
            self.stop()
            raise

    def line(self) -> Line:
        """A connection to whichever worker takes it."""
        return Line(self.port)

    @contextmanager
    def lines(self):
        """One connection to each worker: while one is connected, the others stand still."""
        pids = eventually(lambda: (found := self.pids()) and len(found) == self.workers and found)
        made = []
        try:
            for pid in pids:
                others = [other for other in pids if other != pid]
                for other in others:
                    os.kill(other, signal.SIGSTOP)
                try:
                    line = self.line()
                    assert line.get("/healthz").status == 200
                finally:
                    for other in others:
                        os.kill(other, signal.SIGCONT)
                made.append(line)
            yield made
        finally:
            for line in made:
                line.close()

    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")


def eventually(check: Any, seconds: float = 10.0, pause: float = 0.01) -> Any:
    """Ask until there is a true answer, and give it."""
    deadline = time.monotonic() + seconds
    while True:
        found = None
        with suppress(OSError, http.client.HTTPException):
            found = check()
        if found:
            return found
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(pause)
