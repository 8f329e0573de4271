import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings

from tests.services import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
START_S = 60


class QuickStart:
    """A quick start in a folder of its own, as `make run` starts it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        self.environment = {
            **kept,
            "PORTICO_VAR": str(folder),
            "PORT": str(port),
            "PORTICO_ENV": "quickstart",
        }
        self.process: subprocess.Popen[str] | None = None

    def command(self, *arguments: str, timeout: float = START_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def start(self) -> None:
        if self.process is not None:
            self.output.close()
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        # In a session of its own, so that the signal of Ctrl-C reaches the whole group, as in a terminal.
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "quickstart"],
            cwd=settings.ROOT, env=self.environment, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True, text=True,
        )  # fmt: skip
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, OSError):  # 503 is an HTTPError, so a URLError
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2).close()
                return
        pytest.fail(f"not ready: {self.said()}")

    def stop(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)

    def said(self) -> str:
        self.output.seek(0)
        return self.output.read()

    def facts(self) -> dict:
        return json.loads((self.folder / "quickstart.json").read_text())

    def children(self) -> list[str]:
        """Command lines of live processes that belong to this folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes()
                if os.fsencode(str(self.folder)) in environment + command:
                    found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found


@pytest.fixture(scope="module")
def started():
    """One quick start after its first start; ended with the module."""
    with tempfile.TemporaryDirectory(prefix="ptcq-") as folder:
        quick = QuickStart(Path(folder) / "var", free_port())
        quick.start()
        quick.first_output = quick.said()
        yield quick
        if quick.process.poll() is None:
            quick.stop()
        quick.output.close()


def mcp_status(url: str, key: str) -> int:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    request = urllib.request.Request(
        url, data=body, method="POST",
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        },
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_first_start_prints_and_keeps_all_that_is_needed_to_connect(started):
    facts = started.facts()
    base = f"http://127.0.0.1:{started.port}"
    assert facts["admin_url"] == f"{base}/admin/"
    assert [(t["slug"], t["mcp_url"]) for t in facts["tenants"]] == [
        ("bistro", f"{base}/t/bistro/mcp"),
        ("harbor", f"{base}/t/harbor/mcp"),
    ]
    for text in (
        facts["password"],
        *(t["access_key"] for t in facts["tenants"]),
        "claude mcp add",
        "mcp-remote",
        "httpUrl",
    ):
        assert text in started.first_output
    for name in ("quickstart.json", "keys", "secret_key", "portico.sqlite3"):
        assert (started.folder / name).stat().st_mode & 0o777 == 0o600, name


def test_each_key_opens_its_own_tenant_alone(started):
    bistro, harbor = started.facts()["tenants"]
    assert mcp_status(bistro["mcp_url"], bistro["access_key"]) != 401
    assert mcp_status(harbor["mcp_url"], harbor["access_key"]) != 401
    assert mcp_status(harbor["mcp_url"], bistro["access_key"]) == 401


def test_a_second_start_in_the_same_folder_is_refused_in_plain_words(started):
    result = started.command("quickstart")
    assert result.returncode == 1
    assert "already runs in this folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_refused_in_plain_words(started, tmp_path):
    other = QuickStart(tmp_path / "var", started.port)
    result = other.command("quickstart")
    assert result.returncode == 1
    assert re.search(
        rf"Port {started.port} on 127.0.0.1 cannot be used \(Address already in use\); choose another",
        result.stderr,
    )
    assert other.children() == []


def test_the_doctor_finds_a_running_quick_start_well(started):
    (started.folder / "keys").chmod(0o600)
    result = started.command("doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    for part in ("settings", "database", "migrations", "keys", "redis", "files", "disk"):
        assert f"ok    {part}: " in result.stdout
    for connection in ("bistro/restaurant", "bistro/goals", "bistro/memory", "harbor/goals", "harbor/memory"):
        assert f"ok    connection {connection}: " in result.stdout


def test_reset_access_makes_a_new_login_and_keys_and_ends_the_old_ones(started):
    before = started.facts()
    result = started.command("quickstart", "--reset-access")
    assert result.returncode == 0, result.stderr
    after = started.facts()
    assert after["password"] != before["password"]
    assert after["password"] in result.stdout
    old, new = before["tenants"][0], after["tenants"][0]
    assert mcp_status(new["mcp_url"], new["access_key"]) != 401
    end = time.monotonic() + 2
    while mcp_status(old["mcp_url"], old["access_key"]) != 401:
        assert time.monotonic() < end, "the old key still works"


def test_ctrl_c_ends_everything_and_the_next_start_keeps_data_and_prints_no_secret(started):
    facts = started.facts()
    assert started.stop() == 0, started.said()
    assert started.children() == []
    started.port = free_port()
    started.environment["PORT"] = str(started.port)
    started.start()
    said = started.said()
    for secret in (facts["password"], *(t["access_key"] for t in facts["tenants"])):
        assert secret not in said
    moved = started.facts()
    assert [t["access_key"] for t in moved["tenants"]] == [t["access_key"] for t in facts["tenants"]]
    assert moved["tenants"][0]["mcp_url"] == f"http://127.0.0.1:{started.port}/t/bistro/mcp"
    assert mcp_status(moved["tenants"][0]["mcp_url"], moved["tenants"][0]["access_key"]) != 401
    os.kill(started.process.pid, signal.SIGTERM)
    assert started.process.wait(30) == 0
    assert started.children() == []


def test_the_doctor_says_what_to_do_when_nothing_runs_and_files_are_open(started):
    (started.folder).chmod(0o755)
    (started.folder / "keys").chmod(0o644)
    result = started.command("doctor")
    assert result.returncode == 1
    assert "fail  redis: does not answer" in result.stdout
    assert "-> Start it with: make run." in result.stdout
    assert f"-> Run: chmod go-rwx {started.folder / 'keys'}" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
