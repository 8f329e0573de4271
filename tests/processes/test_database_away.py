"""The database goes away under a running Portico: calls are refused before anything is done, lists go on."""

import os
import signal
import subprocess
import threading
import time

import psycopg
import pytest
from django.db import connection

from tests.live import Line, Live, environment, eventually, run_code
from tests.mcp_endpoint.speak import Place, legacy, modern
from tests.services import NOBODY, Services, postgres_bin

postgres = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="a file cannot be unplugged; PostgreSQL can"
)
SEED = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.factories import *
tenant = make_tenant()
make_connection(tenant, "probe")
make_connection(tenant, "memory")
print(json.dumps([tenant.slug, make_key(tenant)[1], make_key(tenant)[1]]))
"""
LISTS = [("server/discover", modern), ("ping", legacy)] + [
    (method, speak)
    for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list")
    for speak in (modern, legacy)
]


class Unpluggable(Services):
    """A PostgreSQL of its own that can be stopped and started again."""

    def __init__(self) -> None:
        super().__init__()
        self.url = self.postgres()

    def unplug(self) -> None:
        process = self.processes.pop()
        process.send_signal(signal.SIGQUIT)  # all sessions end at once, as in a crash
        process.wait(10)

    def plug_in(self) -> None:
        port = self.url.rsplit(":", 1)[1].split("/")[0]
        as_user = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
        self.processes.append(
            subprocess.Popen(
                [postgres_bin() / "postgres", "-D", self.data, "-k", "", "-p", port, "-c", "max_connections=200"],
                cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_user,
            )
        )  # fmt: skip


class Named:
    def __init__(self, slug: str) -> None:
        self.slug = slug


@postgres
@pytest.mark.slow
def test_calls_get_503_before_anything_is_done_and_all_recovers_without_a_restart(database, tmp_path):
    server = Unpluggable()
    live = None
    try:
        slug, key, unused_key = run_code(SEED, environment(server.url))
        place, unknown = Place(Named(slug), key, None), Place(Named(slug), unused_key, None)
        live = Live(tmp_path, url=server.url)
        pids = live.pids()
        answered: list[str] = []

        def marked(line: Line, tool: str, mark: str, **arguments):
            params = {"name": tool, "arguments": arguments}
            answer = line.send(modern(place, "tools/call", params, x_request_id=mark))
            if answer.status == 200:
                answered.append(mark)
            return answer

        with live.lines() as lines:
            for number, line in enumerate(lines):
                assert marked(line, "cache_set", f"before-{number}", key="before", value="1").status == 200
                for method, speak in LISTS:
                    assert line.send(speak(place, method)).status == 200

            # Calls are running while it goes.
            over = threading.Event()

            def load(number: int) -> None:
                busy, count = Line(live.port), 0
                while not over.is_set():
                    count += 1
                    try:
                        marked(busy, "probe_write", f"during-{number}-{count}", text="x")
                    except Exception:
                        busy.close()
                        busy = Line(live.port)

            clients = [threading.Thread(target=load, args=(number,)) for number in range(3)]
            for client in clients:
                client.start()
            eventually(lambda: len(answered) > 30)
            server.unplug()
            over.set()  # what was executed and not yet recorded waits for the database, for a while

            for number, line in enumerate(lines):
                started = time.monotonic()
                refused = marked(line, "cache_set", f"away-{number}", key="away", value="x")
                assert refused.status == 503, refused.body
                assert "nothing was executed" in refused.error["message"]
                assert refused.headers["retry-after"]
                assert time.monotonic() - started < 5
                for tool in ("probe_echo", "no_such_tool"):
                    refused = marked(line, tool, f"away-{tool}-{number}", text="x")
                    assert refused.status == 503, refused.body
                for method, speak in LISTS:
                    answer = line.send(speak(place, method))
                    assert answer.status == 200, (method, answer.body)
                    assert "result" in answer.json
                fresh = line.call(unknown, "probe_echo", text="x")
                assert fresh.status == 503, "a key that cannot be checked is not called wrong"
                assert line.get("/healthz").status == 200
                assert line.get("/readyz").status == 503

            server.plug_in()
            back = time.monotonic()
            for client in clients:
                client.join(30)
            for number, line in enumerate(lines):
                eventually(lambda: marked(line, "cache_get", "back", key="away").status == 200, 15, 0.05)  # noqa: B023
                assert marked(line, "cache_get", f"after-{number}", key="away").result["structuredContent"]["found"] is False  # fmt: skip
                assert line.call(unknown, "probe_echo", text="x").status == 200
                eventually(lambda: line.get("/readyz").status == 200, 15, 0.05)  # noqa: B023
            assert time.monotonic() - back < 20
        assert live.pids() == pids, "a worker was restarted"

        with psycopg.connect(server.url) as reading:
            rows = reading.execute(
                "SELECT request_id, phase FROM audit_auditevent WHERE kind = 'call'"
            ).fetchall()
        done = {request for request, phase in rows if phase == "done"}
        assert set(answered) <= done, "an answered call has no row"
        assert not [request for request, _ in rows if request.startswith("away-0")], (
            "a refused call left a row"
        )
        whole = run_code(
            "from audit.verification import verify; from tenants.models import Tenant\n"
            f"report = verify(Tenant.objects.get(slug={slug!r}).pk.hex)\nprint(json.dumps([report.ok, report.problem]))",
            environment(server.url),
        )
        assert whole[0], whole
    finally:
        if live:
            live.stop()
        server.stop()
    assert connection.vendor == "postgresql"
