import csv
import io
from datetime import UTC, datetime

from connectors.usage import roll_up
from tests.api.test_api import client
from tests.connectors.test_usage import happened
from tests.factories import make_key, make_tenant


def at_home(role="admin"):
    tenant = make_tenant()
    return tenant, client(make_key(tenant, role)[1]), f"/api/v1/tenants/{tenant.slug}/usage"


def used(tenant):
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    happened(tenant, at=at, times=3, duration_us=2000)
    happened(tenant, at=at, outcome="error", principal_id="other", principal_name="=cmd()", duration_us=2000)
    roll_up(tenant.pk)


def test_use_is_summed_up_over_a_period():
    tenant, api, url = at_home()
    used(tenant)
    span = "from=2026-03-03&to=2026-03-04"
    answer = api.get(f"{url}?{span}").json()
    assert (answer["first"], answer["last"], answer["by"]) == ("2026-03-03", "2026-03-04", "day")
    assert [(row["key"], row["calls"], row["errors"]) for row in answer["rows"]] == [
        ("2026-03-03", 0, 0),
        ("2026-03-04", 4, 1),
    ]
    assert (answer["total"]["calls"], answer["total"]["mean_ms"]) == (4, 2.0)
    (tool,) = api.get(f"{url}?{span}&by=tool").json()["rows"]
    assert (tool["key"], tool["calls"]) == ("goals:goal_list", 4)
    assert [row["label"] for row in api.get(f"{url}?{span}&by=principal").json()["rows"]] == ["Ann", "=cmd()"]
    assert [row["key"] for row in api.get(f"{url}?{span}&by=connection").json()["rows"]] == ["goals"]


def test_use_comes_as_a_file_that_no_spreadsheet_runs():
    tenant, api, url = at_home()
    used(tenant)
    answer = api.get(f"{url}?from=2026-03-01&to=2026-03-31&by=principal&format=csv")
    assert answer["Content-Type"].startswith("text/csv") and "attachment" in answer["Content-Disposition"]
    lines = list(csv.reader(io.StringIO(answer.content.decode())))
    assert lines[0] == ["principal", "name", "calls", "errors", "denied", "cached", "mean_ms"]
    assert [line[1:4] for line in lines[1:]] == [["Ann", "3", "0"], ["'=cmd()", "1", "1"]]


def test_a_question_that_makes_no_sense_is_refused_with_its_word():
    _, api, url = at_home()
    for query, field in (
        ("from=2026-13-01", "from"),
        ("to=tomorrow", "to"),
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("by=colour", "by"),
        ("format=xml", "format"),
    ):
        answer = api.get(f"{url}?{query}")
        assert answer.status_code == 400, answer.content
        assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_use_is_for_admins_and_of_ones_own_tenant():
    _, api, url = at_home("operator")
    assert api.get(url).status_code == 403
    _, stranger, _ = at_home()
    assert stranger.get(url).status_code == 404
