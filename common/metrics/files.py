"""The files through which processes tell each other what they have counted.

Each process has a file of its own in ``var/metrics`` and holds a lock beside it for as long as
it lives, so that a process that was killed is known by a lock that anybody can take, whatever
its number and whichever container it ran in. The counts of the dead are added to one file and
stay, so that what Prometheus reads never falls; their gauges go with them.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
from django.conf import settings

from common.metrics.tables import ALL

logger = logging.getLogger(__name__)

FORMAT: Final = "v1"  # of the names and contents; files of another are never read
PATIENCE_S: Final = 2.0
PAST: Final = f"{FORMAT}-past.json"
# Samples that only grow: they are kept when their process has gone.
GROWING: Final = frozenset({"process_cpu", "unknown_tenants"})


class Busy(OSError):
    """The folder's lock was not to be had in time."""


def folder() -> Path:
    """Where the files are."""
    return Path(settings.VAR) / "metrics"


class Own:
    """This process's file and the lock that says that it lives."""

    def __init__(self, kind: str) -> None:
        """Raises OSError where the folder cannot be written."""
        name = f"{FORMAT}-{kind}-{os.getpid()}-{secrets.token_hex(4)}"
        home = folder()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = home / f"{name}.json"
        self._alive = home / f"{name}.alive"
        with locked(home):  # between its making and its locking nobody may take it for a dead one
            self._lock = os.open(self._alive, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def write(self, kind: str, counts: bytes, samples: list[list[Any]]) -> None:
        """Replace what this process has told so far. Raises OSError."""
        body = b'{"kind":%b,"counts":%b,"samples":%b}' % (
            orjson.dumps(kind), counts, orjson.dumps(samples),
        )  # fmt: skip
        _replace(self.path, body)

    def leave(self) -> None:
        """Forget the parent's file in a forked child: closing it there does not release the lock."""
        os.close(self._lock)

    def close(self) -> None:
        """Hand the counts to the file of the past. Raises OSError where that must wait for others."""
        os.close(self._lock)
        bury(self.path.parent)


@contextlib.contextmanager
def locked(home: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the folder's lock. Raises :class:`Busy`.

    It is asked for again and again rather than waited for: gunicorn's master comes here while
    it handles a signal, which may interrupt it here.
    """
    descriptor = os.open(home / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Busy(0, "The metrics' folder is busy") from None
                time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def bury(home: Path | None = None) -> int:
    """Add the counts of processes that have ended to those of the past; how many there were.

    Raises OSError.
    """
    home = home or folder()
    if not home.exists():
        return 0
    with locked(home):
        dead = [path for path in home.glob(f"{FORMAT}-*.json") if path.name != PAST and not _lives(path)]
        if dead:
            past = _read(home / PAST)
            for path in dead:
                _merge(past, _read(path))
            _replace(home / PAST, orjson.dumps(past))
            for path in dead:
                path.unlink(missing_ok=True)
        for path in home.glob(f"{FORMAT}-*.alive"):  # of processes that ended before they wrote
            if not path.with_suffix(".json").exists() and not _held(path):
                path.unlink(missing_ok=True)
        return len(dead)


def read_all(home: Path | None = None) -> list[dict[str, Any]]:
    """What every process has told, those of the past as one without gauges. Raises OSError."""
    home = home or folder()
    if not home.exists():
        return []
    with locked(home, shared=True):
        return [_read(path) for path in sorted(home.glob(f"{FORMAT}-*.json"))]


def _lives(path: Path) -> bool:
    alive = path.with_suffix(".alive")
    return alive.exists() and _held(alive)


def _held(alive: Path) -> bool:
    try:
        descriptor = os.open(alive, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(path.read_bytes())
        return found
    except FileNotFoundError:
        return {"kind": "", "counts": {}, "samples": []}
    except ValueError:
        logger.warning("The metrics in %s cannot be read and are left out", path.name)
        return {"kind": "", "counts": {}, "samples": []}


def _merge(past: dict[str, Any], more: dict[str, Any]) -> None:
    for name, rows in more["counts"].items():
        if (table := ALL.get(name)) is None:
            continue
        width = table.width
        held = {tuple(row[:width]): row for row in past["counts"].setdefault(name, [])}
        for row in rows:
            mine = held.get(tuple(row[:width]))
            if mine is None:
                past["counts"][name].append(row)
            else:
                mine[width:] = [a + b for a, b in zip(mine[width:], row[width:], strict=True)]
    grown = {(name, *labels): value for name, labels, value in past["samples"]}
    for name, labels, value in more["samples"]:
        if name in GROWING:
            key = (name, *(labels or [more["kind"]]))
            grown[key] = grown.get(key, 0) + value
    past["samples"] = [[name, labels, value] for (name, *labels), value in grown.items()]


def _replace(path: Path, body: bytes) -> None:
    """Write a file so that readers see either the former one or the new one."""
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
    beside.replace(path)
