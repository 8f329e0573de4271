"""The pages of warm-ups and of use."""

from datetime import date

import pytest

from connectors.models import UsageDay, WarmUp
from tests.admin.conftest import sign_in, url
from tests.connectors.warm_tools import have_it, noted
from tests.factories import make_connection, make_member, make_tenant

have_it()


@pytest.fixture
def place():
    tenant = make_tenant()
    make_connection(tenant, "warmed", credential_mode="shared", credential={"token": "pl4nted-warm-token"})
    return tenant, sign_in(make_member(tenant, "admin").user)


def test_an_admin_adds_a_warm_up_runs_it_and_removes_it(place, tmp_path):
    tenant, client = place
    page = client.get(url("connectors_warmup_add")).content.decode()
    assert "warmed:warmed_read" in page
    for refused in ("warmed_write", "warmed_fresh", "warmed_sure", "warmed_secret", "warmed_must"):
        assert f"warmed:{refused}" not in page
    sent = {
        "tool": "warmed:warmed_read",
        "arguments": f'{{"folder": "{tmp_path}"}}',
        "schedule": "0 6 * * *",
        "enabled": "on",
    }
    assert client.post(url("connectors_warmup_add"), sent).status_code == 302
    row = WarmUp.objects.for_tenant(tenant).get()
    change = url("connectors_warmup_change", row.pk)
    assert "not run yet" in client.get(change).content.decode()
    said = client.post(url("connectors_warmup_run", row.pk), follow=True).content.decode()
    assert "the cache has a new answer" in said and len(noted(tmp_path)) == 1
    assert "works" in client.get(url("connectors_warmup_changelist")).content.decode()
    assert client.get(url("connectors_warmup_run", row.pk)).status_code == 403
    assert client.post(url("connectors_warmup_delete", row.pk)).status_code == 302
    assert not WarmUp.objects.for_tenant(tenant).exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": "soon"},
        {"arguments": "[1]"},
        {"arguments": "{"},
        {"arguments": "{}"},
        {"tool": "warmed:no"},
    ],
    ids=["schedule", "list", "json", "missing", "tool"],
)
def test_a_form_that_makes_no_sense_says_so_and_changes_nothing(place, wrong):
    tenant, client = place
    sent = {"tool": "warmed:warmed_read", "arguments": '{"folder": "x"}', "schedule": "* * * * *", **wrong}
    answer = client.post(url("connectors_warmup_add"), sent)
    assert answer.status_code == 422
    assert not WarmUp.objects.for_tenant(tenant).exists()


def test_a_warm_up_is_changed_on_its_page(place, tmp_path):
    tenant, client = place
    sent = {
        "tool": "warmed:warmed_read",
        "arguments": '{"folder": "x"}',
        "schedule": "* * * * *",
        "enabled": "on",
    }
    client.post(url("connectors_warmup_add"), sent)
    row = WarmUp.objects.for_tenant(tenant).get()
    del sent["tool"], sent["enabled"]
    assert (
        client.post(url("connectors_warmup_change", row.pk), {**sent, "schedule": "5 * * * *"}).status_code
        == 302
    )
    row.refresh_from_db()
    assert (row.schedule, row.enabled, row.arguments) == ("5 * * * *", False, {"folder": "x"})


def test_operators_find_neither_warm_ups_nor_use(place):
    tenant, _ = place
    operator = sign_in(make_member(tenant, "operator").user)
    for page in ("connectors_warmup_changelist", "connectors_warmup_add", "connectors_usageday_changelist"):
        assert operator.get(url(page)).status_code == 403
    assert "Warm-ups" not in operator.get(url("index")).content.decode()


def test_use_is_shown_with_a_chart_tables_and_a_file(place):
    tenant, client = place
    page = url("connectors_usageday_changelist")
    assert "Nothing was counted yet" in client.get(page).content.decode()
    for number, person in enumerate(("Ann", "<b>Bob</b>")):
        UsageDay.objects.create(
            tenant=tenant, day=date(2026, 3, 4), connection="warmed", tool="warmed_read", principal_id=str(number),
            principal_name=person, calls=5, errors=1, cached=2, duration_us=5000,
        )  # fmt: skip
    span = "?from=2026-03-01&to=2026-03-31"
    text = client.get(page + span).content.decode()
    assert "warmed:warmed_read" in text and "<rect" in text and "10 calls" in text
    people = client.get(f"{page}{span}&by=principal").content.decode()
    assert "Ann" in people and "&lt;b&gt;Bob" in people and "<b>Bob" not in people
    assert client.get(f"{page}{span}&by=day").status_code == 200
    file = client.get(f"{page}{span}&by=principal&format=csv")
    assert file["Content-Type"].startswith("text/csv") and "Ann,5" in file.content.decode()
    assert client.get(f"{page}?from=x").status_code == 422
