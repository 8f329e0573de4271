"""``/metrics``: who may read it, in which forms, and that it speaks for all processes."""

import os
import signal

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import AsyncClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from tests.live import Live, eventually
from tests.mcp_endpoint.speak import Post, make_place

TOKEN = "a-token-of-the-operator"


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setattr(settings, "PORTICO_METRICS_TOKEN", TOKEN)


def bearer(value: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


async def test_without_a_token_in_the_settings_there_are_no_metrics():
    for headers in ({}, bearer(""), bearer()):
        answer = await AsyncClient().get("/metrics", headers=headers)
        assert answer.status_code == 404
        assert b"portico_" not in answer.content


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("wrong"), bearer(TOKEN + "x"), {"Authorization": f"Basic {TOKEN}"}, bearer("é")],
    ids=["none", "wrong", "longer", "basic", "not-ascii"],
)
async def test_a_stranger_is_asked_for_the_token(token, headers):
    answer = await AsyncClient().get("/metrics", headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert b"portico_" not in answer.content


async def test_the_token_opens_prometheus_text_and_openmetrics(token):
    plain = await AsyncClient().get("/metrics", headers=bearer())
    assert (plain.status_code, plain["Cache-Control"]) == (200, "no-store")
    assert plain["Content-Type"].startswith("text/plain")
    assert {family.name for family in text_string_to_metric_families(plain.content.decode())} >= {
        "portico_processes"
    }
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    opened = await AsyncClient().get("/metrics", headers={**bearer(), **accept})
    assert opened["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in open_metrics(opened.content.decode())} >= {"portico_processes"}


def test_one_answer_speaks_for_all_workers_and_keeps_what_a_killed_one_counted(database, tmp_path):
    server = Live(tmp_path, workers=2, PORTICO_VAR=str(tmp_path / "var"), PORTICO_METRICS_TOKEN=TOKEN)

    def scraped() -> dict[tuple[str, ...], float]:
        line = server.line()
        answer = line.send(Post("/metrics", b"", [("authorization", f"Bearer {TOKEN}")], "GET"))
        line.close()
        assert answer.status == 200, answer.body
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(answer.body.decode())
            for sample in family.samples
        }

    called = ("portico_tool_calls_total", "ok", "probe", "probe_echo")
    try:
        place = make_place(connectors=("probe",))
        with server.lines() as lines:
            for line in lines:
                assert line.call(place, "probe_echo", text="x").status == 200
        found = eventually(lambda: (got := scraped()).get(called) == 2 and got)
        assert found[("portico_processes", "web")] == 2
        assert found[("portico_process_resident_memory_bytes", "web")] > 1e7
        assert eventually(lambda: scraped()[("portico_bus_connected", "web")] == 2)
        assert ("portico_requests_total", "http", "modern", "ok", "tools/call") in found
        before = server.pids()
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: len(now := server.pids()) == 2 and before[0] not in now)
        found = eventually(lambda: (got := scraped())[("portico_processes", "web")] == 2 and got)
        assert found[called] == 2
    finally:
        server.stop()
    assert TOKEN not in server.text()
    left = sorted(path.name for path in (tmp_path / "var" / "metrics").iterdir())
    assert left == ["lock", "v1-past.json"]  # the workers that ended well left their counts, and no gauges


def test_a_command_prints_the_same_where_no_web_server_answers(capsys):
    call_command("metrics")
    families = {family.name for family in text_string_to_metric_families(capsys.readouterr().out)}
    assert families >= {"portico_processes", "portico_tool_calls", "portico_cache_entries"}
