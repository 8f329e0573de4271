"""What the programs of this folder share: they run in processes with a database and keys of their own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASED = Path(__file__).resolve().parent / "released"
SQLITE, POSTGRES = "sqlite", "postgresql"
DUMP, FILE, KEYS, FACTS = "portico.sql", "portico.sqlite3", "keys", "facts.json"


def environment(database_url: str, keys: str, var: Path) -> dict[str, str]:
    """A process's environment: the test settings over this database and these keys."""
    return {
        "PATH": os.environ["PATH"],
        "PORTICO_ENV": "test",
        "DJANGO_SETTINGS_MODULE": "portico.settings",
        "DATABASE_URL": database_url,
        "PORTICO_KEYS": keys,
        "PORTICO_VAR": str(var),
        "REDIS_URL": os.environ["REDIS_URL"],
        "PORTICO_CONNECTORS": "probe=tests.connectors.probe:Probe",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
    }


def python(module: str, env: dict[str, str], said: str = "") -> str:
    """Run a module with text on its standard input; what it printed. Raises AssertionError with its errors."""
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=env, input=said, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{module} failed:\n{done.stderr[-4000:]}"
    return done.stdout


def run(work: Callable[[], Any]) -> Any:
    """Run a program's work in a migrated database and end our threads after it."""
    import django
    from django.conf import global_settings, settings

    # As installations hash them: the tests' own quick way is not what an upgrade finds.
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from common.db import shut_down_pool
    from common.writer import writer
    from tenants.changes import watcher

    call_command("migrate", interactive=False, verbosity=0)
    try:
        return work()
    finally:
        watcher.stop()
        writer.stop()
        shut_down_pool()
        connections.close_all()


def call(caller: Any, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """Call tools one after the other; the structured answers. Raises AssertionError where one fails."""
    from connectors.pipeline import call_tool

    async def all_of_them() -> list[Any]:
        answers = []
        for name, arguments in calls:
            answer = await call_tool(caller, name, arguments)
            assert not answer.is_error, (name, answer)
            answers.append(answer.structured)
        return answers

    return json.loads(json.dumps(asyncio.run(all_of_them())))


class Postgres:
    """A server's programs, pointed at one new database."""

    def __init__(self, folder: Path, server_url: str, name: str) -> None:
        self.folder = folder
        self.server = server_url
        self.name = name
        self.url = urlsplit(server_url)._replace(path=f"/{name}").geturl()

    def create(self) -> None:
        """An empty database of this name."""
        self.drop()
        self._psql(self.server, "-c", f'create database "{self.name}" encoding UTF8 template template0')

    def drop(self) -> None:
        self._psql(self.server, "-c", f'drop database if exists "{self.name}" with (force)')

    def load(self, dump: Path) -> None:
        """Read a dump; the first error ends it."""
        self._psql(self.url, "-f", str(dump))

    def dump(self) -> str:
        """The database as SQL that versions 15 to 18 read, whichever wrote it."""
        text = self._run("pg_dump", "--no-owner", "--no-privileges", "--dbname", _plain(self.url))
        only_newer = ("SET transaction_timeout", "\\restrict ", "\\unrestrict ")
        return "".join(line for line in text.splitlines(True) if not line.startswith(only_newer))

    def _psql(self, url: str, *arguments: str) -> None:
        self._run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", _plain(url), *arguments)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self.folder / program, *arguments],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{program} failed:\n{done.stderr[-4000:]}"
        return done.stdout


def _plain(url: str) -> str:
    """The URL as PostgreSQL's own programs read it."""
    return urlsplit(url)._replace(scheme="postgresql").geturl()
