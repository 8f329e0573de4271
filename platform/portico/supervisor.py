"""Everything the quick start runs, as one process group: Redis, the web server and two workers.

honcho starts and stops all but Redis, which is started before them and ended after them,
so that calls which are still draining have it. Children live in sessions of their own: a
Ctrl-C in the terminal reaches this process alone, which then ends them in order.
"""

import contextlib
import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import honcho.manager
import honcho.printer
from django.conf import settings
from redis import RedisError

from common.redis_server import socket_client, start_server
from portico import access
from portico.first_start import private_folder
from portico.queues import LONG_QUEUE, SHORT_QUEUES

SOCKET_PATH_LIMIT = 100  # the kernel's is 107 bytes, 103 on macOS


class CannotStartError(RuntimeError):
    """Something outside stands in the way; the message is a sentence that says what to do."""


@contextlib.contextmanager
def only_one(var: Path) -> Iterator[None]:
    """Hold the folder's lock; raises :class:`CannotStartError` while another start holds it."""
    private_folder(var)
    with (var / "quickstart.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise CannotStartError(
                f"Portico already runs in this folder (process {lock.read().strip() or 'unknown'}); "
                "stop it with Ctrl-C in its terminal first."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def demand_free_port(host: str, port: int) -> None:
    """Raise :class:`CannotStartError` where the web server could not listen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise CannotStartError(f"HOST is {host!r}, which is no address of this machine.") from None
    except PermissionError:
        raise CannotStartError(
            f"Port {port} needs root; choose one above 1023: make run PORT=8000."
        ) from None
    except OSError as error:
        raise CannotStartError(
            f"Port {port} on {host} cannot be used ({os.strerror(error.errno or 0)}); "
            f"choose another: make run PORT={port + 1 if port < 65535 else 8000}."
        ) from None


@contextlib.contextmanager
def redis_server() -> Iterator["subprocess.Popen[bytes] | None"]:
    """Run the embedded server while the block runs; none where REDIS_URL names a server."""
    if not settings.REDIS_IS_OURS:
        yield None
        return
    folder = settings.VAR / "redis"
    if len(os.fsencode(folder / "redis.sock")) > SOCKET_PATH_LIMIT:
        raise CannotStartError(
            "The path of this folder is too long for a Unix socket; set PORTICO_VAR to a shorter one."
        )
    _end_orphan(folder)
    process = start_server(private_folder(folder), durable=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_orphan(folder: Path) -> None:
    """End a server that a killed start left behind: two on one append-only file would ruin it."""
    with contextlib.suppress(RedisError), socket_client(folder) as client:
        client.ping()
        client.shutdown()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


def stop_on_signals() -> None:
    """Make both signals unwind the stack, so that what was started is ended.

    Shells start background jobs with SIGINT ignored; it shall stop this process even so.
    """
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def commands(*, reload: bool) -> dict[str, str]:
    """The shell commands of the servers, by name; the workers let the web server go first."""
    python = shlex.quote(sys.executable)
    config = shlex.quote(str(settings.ROOT / "gunicorn.conf.py"))
    level = settings.LOG_LEVEL.lower()
    web = f"-m gunicorn -c {config} {'--reload ' if reload else ''}portico.asgi:application"
    worker = f"-m celery --quiet -A portico.celery worker --concurrency 1 --loglevel {level}"
    alone = "--without-gossip --without-mingle"
    return {
        "web": f"exec {python} {web}",
        # Two, so that a call of an hour does not hold up what is due every minute.
        "worker": f"exec nice -n 5 {python} {worker} --beat {alone} -Q {','.join(SHORT_QUEUES)} -n portico@%h",
        "tasks": f"exec nice -n 5 {python} {worker} {alone} -Q {LONG_QUEUE} -n tasks@%h",
    }


def start_prepared() -> int | None:
    """Start without loading Django here, where a former start has prepared everything.

    It halves the time until Portico answers. None where something is to be prepared: the
    command ``quickstart`` does that. Raises :class:`CannotStartError`.
    """
    kept = access.load()
    if settings.PORTICO_ENV == "production" or kept is None or not access.is_prepared():
        return None
    os.umask(0o077)
    stop_on_signals()
    try:
        with only_one(settings.VAR):
            demand_free_port(settings.HOST, settings.PORT)
            with redis_server() as redis:
                show_urls(access.readdress(kept))
                return run(redis, reload=False)
    except KeyboardInterrupt:
        return 0


def show_urls(kept: access.Access) -> None:
    """Print addresses alone: the secrets were shown once."""
    print(f"Admin: {kept.admin_url} (user {kept.username})")
    for tenant in kept.tenants:
        print(f"MCP endpoint of {tenant.slug}: {tenant.mcp_url}")
    print(f"Login and keys are in {access.access_file()}; new ones: make reset-access. Your data was kept.")
    sys.stdout.flush()


class _Leaders:
    """How honcho ends a child: gently its leader alone, who ends its own children in order.

    A SIGTERM to the whole group, honcho's way, reaches Celery's beat before it can take it,
    and the worker then waits for it until it is killed.
    """

    def terminate(self, pid: int) -> None:
        """Ask the child to end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        """End the child with all of its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


class _Printer(honcho.printer.Printer):
    """Goes on when nobody reads any more (`make run | head`), so that a signal still ends everything."""

    def write(self, message: Any) -> None:
        """Print a line of a child."""
        with contextlib.suppress(BrokenPipeError):
            super().write(message)


def run(redis: "subprocess.Popen[bytes] | None", *, reload: bool) -> int:
    """Run web server and workers until one ends or a signal comes; the exit code of the whole."""
    environment = {
        **os.environ,
        "PORTICO_ENV": settings.PORTICO_ENV,
        "PORTICO_VAR": str(settings.VAR),
        "PYTHONPATH": os.pathsep.join([str(settings.ROOT), str(settings.ROOT / "platform")]),
        "PYTHONUNBUFFERED": "1",
    }
    honcho.manager.KILL_WAIT = settings.PORTICO_DRAIN_S + 15
    manager = honcho.manager.Manager(_Printer(sys.stdout))
    manager._procmgr = _Leaders()
    for name, command in commands(reload=reload).items():
        manager.add_process(name, command, env=environment, cwd=str(settings.ROOT))
    done = threading.Event()
    threading.Thread(target=_announce, args=(done,), daemon=True).start()
    if redis is not None:
        threading.Thread(target=_watch, args=(redis, done), daemon=True).start()
    manager.loop()
    done.set()
    stopped_by_user = manager.returncode in {130, 143}
    return 0 if stopped_by_user else int(manager.returncode or 0)


def _watch(redis: "subprocess.Popen[bytes]", done: threading.Event) -> None:
    """Stop all when Redis ends by itself: nothing works without it."""
    while not done.wait(0.5):
        if redis.poll() is not None:
            print(f"The Redis-compatible server ended (code {redis.returncode}); stopping.", file=sys.stderr)
            os.kill(os.getpid(), signal.SIGTERM)
            return


def local_url() -> str:
    """Where this machine reaches the web server, whatever the public URL says."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)  # noqa: S104
    return f"http://[{host}]:{settings.PORT}" if ":" in host else f"http://{host}:{settings.PORT}"


def _announce(done: threading.Event) -> None:
    """Say once that everything answers."""
    begin = time.monotonic()
    while not done.wait(0.1):
        with contextlib.suppress(urllib.error.URLError, OSError):
            request = urllib.request.Request(  # noqa: S310
                f"{local_url()}/readyz", headers={"Host": f"127.0.0.1:{settings.PORT}"}
            )
            with urllib.request.urlopen(request, timeout=2):  # noqa: S310
                print(
                    f"Portico is ready at {settings.PORTICO_PUBLIC_URL} "
                    f"(after {time.monotonic() - begin:.1f} s). Ctrl-C stops it.",
                    flush=True,
                )
                return
