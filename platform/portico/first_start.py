"""Secrets that the quick start makes once and keeps under ``var/``, readable by their owner alone."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from common.keyring import generate_key


def private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter, or leave an existing one as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; at no moment can anybody else read it."""
    private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in a file (mode 0600); made now if the file is not there yet.

    Processes that start at the same time agree: the first file linked to the name wins.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_private(draft, make() + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    return path.read_text().strip()


def new_secret_key() -> str:
    """A value for Django's SECRET_KEY."""
    return secrets.token_urlsafe(48)


def new_key_ring() -> str:
    """A key ring with one new key."""
    return generate_key(f"k{secrets.token_hex(3)}")
