"""The servers under measurement: Portico and the SDK's bare application, on the same worker class."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A gunicorn with its workers, on one core."""

    def __init__(self, app: str, port: int, env: dict[str, str], *, workers: int = 1, core: int = 0) -> None:
        self.port = port
        self.process = subprocess.Popen(
            [
                *(("taskset", "-c", str(core)) if _can_pin() else ()),
                str(Path(sys.executable).parent / "gunicorn"),
                "-c",
                str(ROOT / "gunicorn.conf.py"),
                "-b",
                f"127.0.0.1:{port}",
                "-w",
                str(workers),
                app,
            ],
            cwd=ROOT,
            env={**os.environ, **env, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "LOG_LEVEL": "WARNING"},
            start_new_session=True,
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            with closing(connection), suppress(OSError):
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                return
            if self.process.poll() is not None:
                raise RuntimeError("the server ended before it answered")
            time.sleep(0.05)
        raise RuntimeError("the server did not answer within 30 s")

    def pids(self) -> list[int]:
        """The worker processes."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in found.split()]

    def cpu(self) -> float:
        """CPU seconds that the workers have used, user and system."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory_mb(self) -> float:
        """Resident memory of the largest worker, in MB."""
        sizes = []
        for pid in self.pids():
            status = Path(f"/proc/{pid}/status").read_text()
            sizes.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
        return max(sizes)

    def stop(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


class Load:
    """The load generator's process, on another core."""

    def __init__(self, core: int = 1) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "load.py"), *([str(core)] if _can_pin() else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, server: Server, requests: list[str], **spec: Any) -> dict[str, Any]:
        """One measurement; adds calls per second and CPU microseconds per call of the server."""
        assert self.process.stdin and self.process.stdout
        before = server.cpu()
        order = {"port": server.port, "connections": 16, "seconds": 2.0, "requests": requests, **spec}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        if found["errors"]:
            raise RuntimeError(f"{found['errors']} of {found['calls']} calls failed: {found['sample']}")
        found["rps"] = found["calls"] / found["seconds"]
        found["cpu_us"] = (server.cpu() - before) / max(1, found["calls"]) * 1_000_000
        return found

    def stop(self) -> None:
        """End it."""
        self.process.kill()


def _can_pin() -> bool:
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1
