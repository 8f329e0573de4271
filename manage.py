#!/usr/bin/env python
"""Django's command line for Portico; puts the root and platform/ on the path."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# These read no data and must work where no secret is at hand (an image is being built, say).
NEED_NO_SETTINGS = {
    "help",
    "--help",
    "-h",
    "version",
    "--version",
    "collectstatic",
    "makemigrations",
    "spectacular",
}


def main() -> None:
    """Run the administrative command given on the command line."""
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        sys.exit("Portico's packages are not installed here; run: make setup (and use .venv/bin/python).")
    if command not in NEED_NO_SETTINGS:
        from django.conf import settings

        from portico.configuration import refuse

        refuse(settings.CONFIGURATION_PROBLEMS)
        if sys.argv[1:] == ["quickstart"]:
            _start_prepared()
    execute_from_command_line(sys.argv)


def _start_prepared() -> None:
    """Start at once where a former quick start left nothing to prepare; ends the process then."""
    from portico.supervisor import CannotStartError, start_prepared

    try:
        code = start_prepared()
    except CannotStartError as error:
        sys.exit(f"Portico does not start: {error}")
    if code is not None:
        sys.exit(code)


if __name__ == "__main__":
    main()
