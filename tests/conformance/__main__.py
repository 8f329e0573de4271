"""``python -m tests.conformance run`` and ``… serve --port 8765``: see the Makefile's targets."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests import services  # noqa: F401  starts a database and Redis, and names them in the environment
from tests.conformance import ENTRIES
from tests.conformance.suite import REVISIONS, run_suite
from tests.node import installed

ROOT = Path(__file__).resolve().parent.parent.parent
URL_FILE = ROOT / "var" / "conformance-url"
os.environ["PORTICO_CONNECTORS"] = ",".join(ENTRIES)


def _prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def run(revisions: list[str]) -> int:
    """Serve the fixture tenant and run the suite against it; 0 when nothing failed."""
    try:
        modules = installed()
    except pytest.skip.Exception as reason:
        print(f"The suite cannot be run: {reason}", file=sys.stderr)
        return 1
    _prepare()
    from tests.conformance.serving import served

    clean = True
    with served() as place, tempfile.TemporaryDirectory() as results:
        for revision in revisions:
            report = run_suite(modules, place.url, revision, Path(results) / revision)
            print(report.summary(), flush=True)
            clean = clean and report.clean
    return 0 if clean else 1


def serve(port: int) -> int:
    """Serve the fixture tenant until a signal comes."""
    _prepare()
    from tests.conformance.serving import served

    try:
        with served(port) as place:
            URL_FILE.parent.mkdir(exist_ok=True)
            URL_FILE.write_text(place.url + "\n")
            print(
                f"The fixture tenant is served at {place.url} (no key is needed); Ctrl-C ends it.", flush=True
            )
            try:
                signal.pause()
            finally:
                URL_FILE.unlink(missing_ok=True)
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"Port {port} cannot be used ({error.strerror}); choose another.", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tests.conformance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("--revision", action="append", choices=REVISIONS)
    serving = commands.add_parser("serve")
    serving.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if options.command == "serve":
        return serve(options.port)
    return run(options.revision or list(REVISIONS))


if __name__ == "__main__":
    sys.exit(main())
