"""Log files that several processes write and rotate together, for who wants files from Portico itself."""

import fcntl
import io
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

SIZE = 10_000_000  # bytes of a file
KEPT = 5  # former files beside the one that is written


class SharedFile(RotatingFileHandler):
    """A rotating file for all processes of an installation.

    The standard library's own handler loses lines when two processes rotate one file: each
    renames what the other has just begun. Here a lock beside the file is held for each record,
    and whoever finds that the file was rotated meanwhile opens the new one.
    """

    def __init__(self, filename: str, *, size: int = SIZE, kept: int = KEPT) -> None:
        super().__init__(filename, maxBytes=size, backupCount=kept, encoding="utf-8", delay=True)
        self._lock_path = Path(f"{self.baseFilename}.lock")
        self._lock_fd = -1
        self._pid = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a disk that does not take it never stops the process."""
        try:
            self._enter()
        except OSError:
            self.handleError(record)
            return
        try:
            self._follow()
            super().emit(record)
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _enter(self) -> None:
        if self._pid != os.getpid():  # a lock that came through a fork would keep nobody out
            Path(self.baseFilename).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
            self._lock_fd = os.open(self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._pid = os.getpid()
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)

    def _follow(self) -> None:
        """Close the file where another process has rotated it away."""
        if self.stream is None:
            return
        try:
            here = os.stat(self.baseFilename)  # noqa: PTH116
            same = os.path.samestat(here, os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            same = False
        if not same:
            self.stream.close()
            self.stream = None  # type: ignore[assignment]  # the parent opens it again

    def _open(self) -> io.TextIOWrapper:
        return open(
            self.baseFilename, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)
        )

    def close(self) -> None:
        """Close the file and its lock."""
        super().close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1
            self._pid = 0
