"""The examination behind ``manage.py doctor``: each part, how it is, and what to do about it."""

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from redis import Redis, RedisError

from common.metrics import files
from connectors.models import Connection
from connectors.registry import connector_slugs
from connectors.services import connection_check
from portico import access, health, invariants
from portico.celery import app as celery_app

OK, WARN, FAIL = "ok", "warn", "fail"
LOW_DISK = 1024**3
NO_DISK = 100 * 1024**2
CHECK_TIMEOUT_S = 20
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``advice`` says what to do where the level is not ok."""

    level: str
    part: str
    text: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """All findings, as they are found. A part that breaks its examination is a failure of that part."""
    parts: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("settings", _settings),
        ("public URL", _public_url),
        ("database", _database),
        ("keys", _keys),
        ("redis", _redis),
        ("worker", _worker),
        ("metrics", _metrics),
        ("files", _files),
        ("disk", _disk),
        ("connections", _connections),
    ]
    for name, part in parts:
        try:
            yield from part()
        except Exception as error:  # the doctor goes on; drivers' messages may hold passwords
            yield Finding(
                FAIL, name, f"could not be examined ({type(error).__name__})", "See the lines above."
            )


def _settings() -> Iterator[Finding]:
    yield Finding(OK, "settings", f"{settings.PORTICO_ENV}, {len(settings.INSTALLED_APPS)} applications")
    for message in checks.run_checks():
        level = FAIL if message.is_serious() else WARN
        yield Finding(level, "settings", message.msg, message.hint or "See docs/configuration.md.")


def _public_url() -> Iterator[Finding]:
    kept = None if settings.IN_PRODUCTION else access.load()
    url = kept.base_url if kept else settings.PORTICO_PUBLIC_URL  # as the last `make run` had it
    host = urlsplit(url).hostname or ""
    if settings.IN_PRODUCTION and host in {"127.0.0.1", "localhost", "::1"}:
        yield Finding(
            WARN,
            "public URL",
            f"{url} is this machine only",
            "Write the address that clients use in PORTICO_PUBLIC_URL.",
        )
    else:
        yield Finding(OK, "public URL", url)


def _database() -> Iterator[Finding]:
    try:
        problems = invariants.database_problems()
    except DatabaseError as error:
        yield Finding(
            FAIL,
            "database",
            f"does not answer ({type(error).__name__})",
            "Start the database, and check DATABASE_URL (host, port, user, password, name).",
        )
        return
    yield Finding(OK, "database", f"{connection.vendor} answers")
    for problem in problems:
        yield Finding(FAIL, "database", problem, "Then start Portico again.")
    pending = health.pending_migrations()
    if pending:
        yield Finding(
            FAIL,
            "migrations",
            f"{len(pending)} to apply ({pending[0]} first)",
            "Run: python manage.py migrate.",
        )
    else:
        yield Finding(OK, "migrations", "all applied")


def _keys() -> Iterator[Finding]:
    problems = invariants.key_problems()
    for problem in problems:
        yield Finding(FAIL, "keys", problem, "Restore the key ring from your backup.")
    if not problems:
        yield Finding(OK, "keys", "the ring holds the key of every stored secret")


def _redis() -> Iterator[Finding]:
    advice = "Start it with: make run." if settings.REDIS_IS_OURS else "Start the server and check REDIS_URL."
    try:
        problems = invariants.redis_problems()
    except RedisError as error:
        yield Finding(FAIL, "redis", f"does not answer ({type(error).__name__})", advice)
        return
    for problem in problems:
        yield Finding(FAIL, "redis", problem, "CONFIG SET maxmemory-policy noeviction, and in its file.")
    if not problems:
        yield Finding(OK, "redis", "answers")


def _worker() -> Iterator[Finding]:
    try:
        with Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=2, socket_connect_timeout=2) as broker:
            broker.ping()
    except RedisError as error:
        yield Finding(
            FAIL, "worker", f"its broker does not answer ({type(error).__name__})", "Check CELERY_BROKER_URL."
        )
        return
    replies = celery_app.control.ping(timeout=2)
    if replies:
        yield Finding(OK, "worker", f"{len(replies)} running")
    else:
        yield Finding(
            WARN,
            "worker",
            "none answers, so nothing is cleaned up and no audit checkpoint is made",
            "Run: celery -A portico.celery worker --beat (make run does it).",
        )


def _metrics() -> Iterator[Finding]:
    home = files.folder()
    if home.exists() and not os.access(home, os.W_OK):
        yield Finding(WARN, "metrics", f"{home} cannot be written", f"Let Portico's account write {home}.")
        return
    shown = (
        "shown at /metrics" if settings.PORTICO_METRICS_TOKEN else "not shown: PORTICO_METRICS_TOKEN is empty"
    )
    yield Finding(OK, "metrics", f"counted in {home}, {shown}")


def _files() -> Iterator[Finding]:
    loose = list(_loose_files())
    for path in loose:
        yield Finding(FAIL, "files", f"{path} can be read by others", f"Run: chmod go-rwx {path}.")
    if not loose:
        yield Finding(OK, "files", "secrets are readable by their owner alone")


def _loose_files() -> Iterator[Path]:
    var = settings.VAR
    watched = [var / name for name in ("keys", "secret_key", "quickstart.json", "redis")]
    watched.append(settings.ROOT / ".env")
    if connection.vendor == "sqlite":
        watched.append(Path(connection.settings_dict["NAME"]))
    for path in watched:
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not _walled(path):
            yield path


def _walled(path: Path) -> bool:
    """Whether the folder around a file keeps others out already."""
    return not path.parent.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def _disk() -> Iterator[Finding]:
    folder = settings.VAR if settings.VAR.exists() else Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB free at {folder}"
    if free < NO_DISK:
        yield Finding(
            FAIL, "disk", text, "Make room now: without it no call can be recorded, so none is served."
        )
    elif free < LOW_DISK:
        yield Finding(WARN, "disk", text, "Make room soon; see docs/operations.md, Disk full.")
    else:
        yield Finding(OK, "disk", text)


def _connections() -> Iterator[Finding]:
    rows = list(
        Connection.unscoped.filter(enabled=True, tenant__status="active")
        .select_related("tenant")
        .order_by("tenant__slug", "slug")
    )
    if not rows:
        yield Finding(OK, "connections", "none yet")
        return
    known = connector_slugs()
    for row, (ok, text) in zip(rows, async_to_sync(_check_all)(rows), strict=True):
        part = f"connection {row.tenant.slug}/{row.slug}"
        hint = "Open it in the admin and test it there."
        if row.connector not in known:
            hint = "Install it, or name it in PORTICO_CONNECTORS: in .env, so that every command knows it."
        yield Finding(OK if ok else FAIL, part, text, "" if ok else hint)


async def _check_all(rows: list[Connection]) -> list[tuple[bool, str]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: Connection) -> tuple[bool, str]:
        async with gate:
            try:
                result = await asyncio.wait_for(connection_check(row), CHECK_TIMEOUT_S)
            except TimeoutError:
                return False, f"no answer within {CHECK_TIMEOUT_S} s"
            except Exception as error:
                return False, f"its test failed ({type(error).__name__})"
            return result.ok, result.message or ("reachable" if result.ok else "not reachable")

    return await asyncio.gather(*(one(row) for row in rows))
