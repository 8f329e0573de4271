"""Included by a worker under test: a roll-up of use stops in the middle of its transaction for a word."""

import os
import time
from pathlib import Path
from typing import Any

from connectors import usage
from tests.connectors.warm_tools import note

FOLDER = "TEST_HELD_ROLL_UP"

_add = usage._add


def _held(*arguments: Any) -> None:
    _add(*arguments)
    folder = os.environ[FOLDER]
    note(folder)
    for _ in range(3000):
        if (Path(folder) / "go").exists():
            return
        time.sleep(0.01)


if FOLDER in os.environ:  # not in the test's own process
    usage._add = _held
