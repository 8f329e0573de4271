"""Redis goes away under a running Portico and comes back: calls go on, and nothing is restarted."""

import os
import threading
import time
from collections import Counter

import pytest
from django.conf import settings

from benchmarks.soak.connector import Remote
from benchmarks.upstream import Lines
from common.redis_server import start_server
from connectors.models import UsageLimit
from tests.factories import make_connection, make_key, make_tenant
from tests.live import Line, Live, eventually
from tests.mcp_endpoint.speak import Place

AWAY_S = float(os.environ.get("PORTICO_OUTAGE_S", "6"))
REMOTE = f"remote={Remote.__module__}:{Remote.__name__}"
PER_MINUTE = 5
if REMOTE not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(REMOTE)


class Calls:
    """Clients that call all the time; each answer is kept with its tool, phase and duration."""

    def __init__(self, live: Live, place: Place) -> None:
        self.live, self.place = live, place
        self.phase, self.over = "before", threading.Event()
        self.seen: Counter[tuple[str, str, str]] = Counter()
        self.longest = 0.0
        tools = [
            ("remote_read", {"number": 1}),
            ("remote_kept", {"number": 2}),
            ("probe_echo", {"text": "x"}),
        ]
        self.threads = [threading.Thread(target=self.go, args=pair) for pair in tools]

    def go(self, tool: str, arguments: dict) -> None:
        line = self.live.line()
        while not self.over.wait(0.05):
            phase, started = self.phase, time.monotonic()
            answer = line.call(self.place, tool, **arguments)
            self.longest = max(self.longest, time.monotonic() - started)
            good = answer.status == 200 and not answer.result.get("isError")
            self.seen[tool, phase, "good" if good else f"{answer.status} {answer.body[:300]!r}"] += 1
        line.close()

    def counts(self, phase: str) -> dict[str, int]:
        return {tool: self.seen[tool, phase, "good"] for tool in ("remote_read", "remote_kept", "probe_echo")}

    def failures(self) -> list[object]:
        return [key for key in self.seen if key[2] != "good"]


@pytest.mark.slow
def test_calls_go_on_without_redis_and_all_recovers_without_a_restart(database, tmp_path):
    server = start_server(tmp_path / "redis")
    socket = f"unix://{tmp_path / 'redis' / 'redis.sock'}"
    systems = Lines("-m", "benchmarks.soak.systems", "1")
    live = None
    try:
        (port,) = systems.read()
        tenant = make_tenant()
        place = Place(tenant, make_key(tenant)[1], None)
        make_connection(tenant, "probe")
        make_connection(tenant, "memory")
        make_connection(
            tenant, "remote", settings={"url": f"http://127.0.0.1:{port}"}, credential={"token": "token"}
        )
        limited = make_connection(tenant, "probe", "limited")
        UsageLimit.objects.create(tenant=tenant, connection=limited, calls=PER_MINUTE, period="hour")
        live = Live(
            tmp_path, REDIS_URL=socket, CELERY_BROKER_URL=socket, PORTICO_SANDBOX="true",
            PORTICO_CONNECTORS=f"{os.environ['PORTICO_CONNECTORS']},{REMOTE}",
        )  # fmt: skip
        pids = live.pids()
        calls = Calls(live, place)
        with live.lines() as lines:
            for line in lines:
                assert not line.call(place, "cache_set", key="k", value=1).result.get("isError")
            for thread in calls.threads:
                thread.start()
            eventually(lambda: min(calls.counts("before").values()) > 10)

            server.kill()
            server.wait()
            calls.phase, gone = "away", time.monotonic()
            for line in lines:
                kept = line.call(place, "cache_get", key="k")
                assert kept.result["isError"], "the memory tools live in Redis"
                granted = sum(
                    not line.call(place, "limited__probe_echo", text="x").result.get("isError")
                    for _ in range(PER_MINUTE + 3)
                )
                assert granted == PER_MINUTE, "each process counts for itself"
                assert line.get("/healthz").status == 200
                eventually(lambda: line.get("/readyz").status == 503, 15)  # noqa: B023
            time.sleep(max(0.0, AWAY_S - (time.monotonic() - gone)))
            assert min(calls.counts("away").values()) > AWAY_S, calls.seen

            server = start_server(tmp_path / "redis")
            calls.phase = "after"
            for line in lines:
                eventually(lambda: writes(line, place), 15)  # noqa: B023
                eventually(lambda: line.get("/readyz").status == 200, 15)  # noqa: B023
            eventually(lambda: min(calls.counts("after").values()) > 10, 30)
            calls.over.set()
            for thread in calls.threads:
                thread.join(30)
            both = [
                line.call(place, "cache_get", key="k").result["structuredContent"]["value"] for line in lines
            ]
            assert both == [2, 2]
            # The window that all share is whole again: what was counted apart is not added to it.
            eventually(lambda: shares_again(lines, place), 30)
        assert not calls.failures(), calls.failures()[:3]
        assert calls.longest < 10, "a call hung"
        assert live.pids() == pids, "a worker was restarted"
        assert "Redis is not reachable" in live.text()
    finally:
        if live:
            live.stop()
        systems.stop()
        server.kill()
        server.wait()


def writes(line: Line, place: Place) -> bool:
    return not line.call(place, "cache_set", key="k", value=2).result.get("isError")


def shares_again(lines: list[Line], place: Place) -> bool:
    """Whether what one worker counts is known to the other."""
    for _ in range(PER_MINUTE + 1):
        lines[0].call(place, "limited__probe_echo", text="x")
    return bool(lines[1].call(place, "limited__probe_echo", text="x").result.get("isError"))
