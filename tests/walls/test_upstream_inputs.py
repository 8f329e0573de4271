"""Odd and hostile values, from clients, admins and systems: each is refused or kept, and none breaks its row."""

import json
import logging

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from common.db import in_db
from common.metrics import tables
from connectors.alerts.messages import of_change
from connectors.base import CheckResult
from connectors.health.recording import Found, record_check
from connectors.health.states import Outcome
from connectors.models import HealthCheck, StateChange, UsageDay, WarmUp
from connectors.pipeline import UnknownTool, call_tool
from connectors.schedules import next_run, read_schedule
from connectors.services import warm_up_create
from connectors.usage import roll_up
from portico.log_formats import Columns, JsonLine, OneLine
from portico.usage_file import csv_of
from tenants.errors import InvalidValue
from tests.api.test_api import client
from tests.connectors.warm_tools import have_it
from tests.factories import SYSTEM, make_caller, make_connection, make_key, make_tenant, unique
from tests.mcp_endpoint.speak import by_door, make_place, modern

have_it()
ODD = {
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
    "nan": float("nan"),
    "infinity": float("-inf"),
    "wide": 2**70,
    "deep": json.loads("[" * 300 + "]" * 300),
}


@pytest.fixture
def tenant():
    return make_tenant()


@pytest.mark.parametrize("odd", ["nul", "surrogate", "nan", "infinity", "deep"])
def test_arguments_of_a_warm_up_that_a_database_does_not_take_are_refused(tenant, odd):
    row = make_connection(tenant, "warmed", credential={"token": "t"})
    for arguments in ({"folder": "/x", "word": ODD[odd]}, {"folder": "/x", "more": {"x": [ODD[odd]]}}):
        with pytest.raises(InvalidValue) as refused:
            warm_up_create(
                tenant=tenant, connection=row, tool="warmed_read", arguments=arguments, actor=SYSTEM
            )
        assert refused.value.field == "arguments"
    assert not WarmUp.objects.for_tenant(tenant).exists()


@pytest.mark.parametrize(
    "body", ['{"folder":"\\u0000"}', '{"folder":"\\ud800"}', "[" * 900 + "]" * 900, "[]", "7"]
)
def test_the_api_refuses_odd_arguments_of_a_warm_up_with_a_400(tenant, body):
    make_connection(tenant, "warmed", credential={"token": "t"})
    api = client(make_key(tenant, "admin")[1])
    text = f'{{"connection":"warmed","tool":"warmed_read","arguments":{body}}}'
    answer = api.post(f"/api/v1/tenants/{tenant.slug}/warm-ups", text, content_type="application/json")
    assert answer.status_code == 400, answer.content


@pytest.mark.parametrize("odd", sorted(ODD))
def test_what_a_system_says_of_itself_is_kept_whatever_is_in_it(tenant, odd):
    row = make_connection(tenant, "goals")
    details = {"odd": ODD[odd], "list": [ODD[odd]], 7: "number", ("a", "b"): "pair", "nul\x00name": 1}
    record_check(tenant.pk, row.pk, Found(CheckResult(True, "Fine.", details), Outcome.OK, 5))
    kept = HealthCheck.objects.for_tenant(tenant).get(connection=row)
    assert kept.ok and kept.details["7"] == "number"


def test_what_a_system_says_of_itself_is_bounded_and_has_no_secret(tenant):
    row = make_connection(tenant, "goals")
    details = {
        "account": "x" * 1_000_000,
        "api_key": "planted-Zq7",
        "note": "token=planted-Zq7",
        "who": "Ann",
    }
    details |= {f"n{number}": number for number in range(5_000)}
    record_check(tenant.pk, row.pk, Found(CheckResult(True, "Fine.", details), Outcome.OK, 5))
    kept = json.dumps(HealthCheck.objects.for_tenant(tenant).get(connection=row).details)
    assert "planted-Zq7" not in kept and "Ann" in kept and len(kept) < 100_000


def test_arguments_that_are_nested_too_deeply_are_refused_at_every_door(tenant):
    make_connection(tenant, "goals")
    api = client(make_key(tenant)[1])
    for depth in (300, 900):
        text = '{"name":"list_goals","arguments":{"status":' + "[" * depth + "]" * depth + "}}"
        answer = api.post(f"/api/v1/tenants/{tenant.slug}/call-tool", text, content_type="application/json")
        assert answer.status_code == 400 or answer.json()["is_error"], answer.content


@pytest.mark.parametrize("form", [OneLine, Columns, JsonLine])
@pytest.mark.parametrize(
    "ending", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2J", "\x9b2J"]
)
def test_no_text_begins_a_line_of_the_log_or_moves_a_terminal(form, ending):
    said = f"name{ending}2026-11-21T00:00:00.000 | CRITICAL | portico | main:1 | forged"
    record = logging.LogRecord("some.module", logging.WARNING, __file__, 1, "It said %s", (said,), None, "f")
    line = form().format(record)
    assert len(line.splitlines()) == 1 and "forged" in line
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in line), ascii(line)


LINES = (
    "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 31 2 *", "* * 30 2 *", "*/0 * * * *",
    "5-1/0 * * * *", "-1 * * * *", "1-99999999999 * * * *", "* * * 13 *", "* * * * 8", "a * * * *", "@daily",
    "* * * * *; DROP", "１ * * * *", "* * * * mon-", ",,, * * * *", "*/99999999999999 * * * *",
)  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_a_schedule_that_means_nothing_or_never_comes_is_refused_or_runs_at_most_once_a_minute(line):
    try:
        schedule = read_schedule(line)
    except InvalidValue as refused:
        assert refused.field == "schedule"
        return
    from zoneinfo import ZoneInfo

    first = next_run(schedule, ZoneInfo("UTC"), timezone.now())
    assert (next_run(schedule, ZoneInfo("UTC"), first) - first).total_seconds() >= 60


async def test_names_that_no_tool_has_make_no_rows_of_use_and_no_series(tenant):
    await in_db(make_connection, tenant, "goals")
    caller = await in_db(make_caller, tenant)
    before = {name: len(table.rows) for name, table in tables.ALL.items() if name in ("calls", "limited")}
    for _ in range(20):
        with pytest.raises(UnknownTool):
            await call_tool(caller, unique("no_tool_"), {})
    await in_db(roll_up, tenant.pk)
    assert not await in_db(UsageDay.objects.for_tenant(tenant).exists)
    assert before == {name: len(tables.ALL[name].rows) for name in before}
    names = await in_db(lambda: set(AuditEvent.objects.for_tenant(tenant).values_list("name", flat=True)))
    assert sum(name.startswith("no_tool_") for name in names) == 20, "the audit tells what was asked for"


async def test_methods_that_are_none_make_one_series(database):
    place = await in_db(make_place, "operator", ("goals",))
    await by_door(modern(place, unique("no/such"), {}))
    before = len(tables.ALL["requests"].rows)
    for _ in range(10):
        await by_door(modern(place, unique("no/such"), {}))
        await by_door(modern(place, "tools/call", {"name": unique("none"), "arguments": {}}))
    assert len(tables.ALL["requests"].rows) <= before + 1


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n=", " =", "＝"])
def test_no_cell_of_the_file_of_use_is_a_formula(tenant, first):
    from datetime import date

    from connectors.usage import Period, Use

    use = Use(f"{first}cmd|' /C calc'!A0", f"{first}HYPERLINK(1)")
    text = csv_of(tenant, Period(date(2026, 1, 1), date(2026, 1, 2)), "principal", [use]).content.decode()
    import csv
    import io

    for cell in list(csv.reader(io.StringIO(text)))[1][:2]:
        assert cell.lstrip(" \n")[0] not in "=+-@\t\r＝", cell


@pytest.mark.parametrize("name", ["Down\nBcc: everybody@example.com", "Down\r\n", "a\x00b", "x\u2028y"])
def test_no_name_of_a_connection_is_a_header_of_an_alerts_mail(tenant, name):
    try:
        row = make_connection(tenant, "goals", name=name)
    except InvalidValue:
        return
    change = StateChange.objects.create(
        tenant=tenant, connection=row, former="ok", state="failing", message="x"
    )
    assert of_change("1", change).subject.isprintable()


@pytest.mark.parametrize(
    "meta", [{"idempotencyKey": None}, {"idempotencyKey": True}, {"idempotencyKey": "\u202e"}]
)
async def test_a_key_of_a_wrong_type_is_an_invalid_parameter(database, meta):
    place = await in_db(make_place, "operator", ("goals",))
    error = (
        await by_door(modern(place, "tools/call", {"name": "list_goals", "arguments": {}}, meta=meta))
    ).error
    assert error["code"] == -32602


@pytest.mark.parametrize("given", ["a b\x1b[2J", "<script>", "x" * 200, "é", "=1+1", "ok-1"])
def test_a_request_id_is_plain_or_not_the_clients(tenant, given):
    make_connection(tenant, "goals")
    api = client(make_key(tenant)[1])
    call, headers = {"name": "list_goals", "arguments": {}}, {"X-Request-Id": given}
    answer = api.post(f"/api/v1/tenants/{tenant.slug}/call-tool", call, format="json", headers=headers)
    told = answer.json()["request_id"]
    assert (told == given) is (given == "ok-1") and told == answer.headers["X-Request-ID"]
    assert AuditEvent.objects.for_tenant(tenant).filter(request_id=told, kind="call").exists()
