"""The thread that writes what this process has counted, every few seconds."""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from common.metrics import files, process, tables
from common.metrics.tables import Key, Row, Table

logger = logging.getLogger(__name__)

FLUSH_S: Final = 2.0
SAMPLES_S: Final = 10.0  # how old the gauges of a process that counts nothing may be

Sampler = Callable[[], "float | Mapping[Key, float]"]

_samplers: dict[str, Sampler] = {}
_kind = "command"
_file: files.Own | None = None
_thread: threading.Thread | None = None
_stop = threading.Event()
_starting = threading.Lock()
_last: tuple[bytes, float] = (b"", 0.0)  # the counts that were written, and when
_failed = False


def sample(name: str, sampler: Sampler) -> None:
    """Have a figure of this process asked for whenever the counts are written.

    ``name`` is one of :mod:`common.metrics.figures`; the answer is a number, or numbers by
    labels. It is asked in a thread, and must be quick.
    """
    _samplers[name] = sampler


def start(kind: str) -> None:
    """Say what this process is (web, worker), and write its figures from now on."""
    global _kind
    _kind = kind
    ensure_started()


def new_row(table: Table, key: Key) -> Row:
    """A row for what is counted for the first time; under the tables' lock."""
    ensure_started()
    return table.add(key)


def ensure_started() -> None:
    """Start the thread unless it runs; after a fork the child starts one of its own."""
    global _thread
    if _thread is not None:
        return
    with _starting, contextlib.suppress(RuntimeError):  # the interpreter is ending
        if _thread is None:
            thread = threading.Thread(target=_run, args=(_stop,), name="portico-metrics", daemon=True)
            thread.start()
            _thread = thread


def stop() -> None:
    """Write what was counted and hand it to those that are counted no more; safe to repeat."""
    global _thread, _file, _last, _stop
    thread, _thread = _thread, None
    if thread is None:
        return
    _stop.set()
    _stop = threading.Event()
    if thread is not threading.current_thread():
        thread.join(5)
    flush()
    own, _file, _last = _file, None, (b"", 0.0)
    with tables.lock:
        for table in tables.ALL.values():
            table.rows.clear()
    with contextlib.suppress(OSError):
        if own is not None:
            own.close()


def flush() -> None:
    """Write now; what cannot be written is kept, and logged once."""
    global _file, _last, _failed
    with _writing:
        counts = orjson.dumps(_counts())
        if counts == _last[0] and time.monotonic() - _last[1] < SAMPLES_S:
            return
        try:
            if _file is None:
                _file = files.Own(_kind)
            _file.write(_kind, counts, _samples())
        except OSError as error:
            if not _failed:
                logger.warning("Metrics cannot be written to %s: %s", files.folder(), error.strerror)
            _failed = True
            return
        _last, _failed = (counts, time.monotonic()), False


_writing = threading.Lock()


def _run(stop: threading.Event) -> None:
    while not stop.wait(FLUSH_S):
        try:
            flush()
        except Exception:  # figures are worth a line in the log, never a process
            logger.exception("Metrics were not written")


def _counts() -> dict[str, list[Any]]:
    with tables.lock:
        return {
            name: [[*key, *row] for key, row in table.rows.items()]
            for name, table in tables.ALL.items()
            if table.rows
        }


def _samples() -> list[list[Any]]:
    found: list[list[Any]] = [["redis_away", [use], int(is_away)] for use, is_away in tables.away.items()]
    for name, sampler in (*process.SAMPLERS.items(), *_samplers.items()):
        try:
            value = sampler()
        except Exception as error:
            logger.debug("No figure for %s: %s", name, type(error).__name__)
            continue
        if isinstance(value, Mapping):
            found += [[name, list(key), number] for key, number in value.items()]
        else:
            found.append([name, [], value])
    return found


def _in_child() -> None:
    global _file, _thread, _stop, _starting, _writing, _last
    if _file is not None:
        _file.leave()
    _file, _thread, _last = None, None, (b"", 0.0)
    _stop, _starting, _writing = threading.Event(), threading.Lock(), threading.Lock()


os.register_at_fork(after_in_child=_in_child)
atexit.register(stop)
