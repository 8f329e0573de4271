"""Limits and quotas in the admin."""

from typing import Any

from asgiref.sync import async_to_sync

from connectors.models import UsageLimit
from connectors.pipeline import call_tool
from connectors.services import limit_create
from tests.admin.conftest import sign_in, url
from tests.factories import SYSTEM, make_caller, make_connection, make_key, make_member, make_tenant


def at_home(role: str = "admin") -> tuple[Any, Any]:
    tenant = make_tenant()
    make_connection(tenant, "goals")
    return tenant, sign_in(make_member(tenant, role).user)


def test_a_limit_is_added_shown_with_its_use_changed_and_removed() -> None:
    tenant, client = at_home()
    key, _ = make_key(tenant, name="the laptop")
    add = url("connectors_usagelimit_add")
    assert "the laptop" in client.get(add).content.decode()
    body = {"key": key.pk, "connection": "goals", "tool": "list_goals", "calls": "2", "period": "month"}
    assert client.post(add, {**body, "enabled": "on"}).status_code == 302
    row = UsageLimit.objects.for_tenant(tenant).get()
    assert (row.key, row.tool, row.calls, row.period, row.enabled) == (key, "list_goals", 2, "month", True)
    limit_create(tenant=tenant, calls=3, period="hour", actor=SYSTEM)
    async_to_sync(call_tool)(make_caller(tenant), "list_goals", {})
    text = client.get(url("connectors_usagelimit_changelist")).content.decode()
    assert "the whole tenant" in text and "key the laptop, goals:list_goals" in text
    assert "of 3" in text and "00:00 (UTC)" in text
    page = url("connectors_usagelimit_change", row.pk)
    shown = client.get(page).content.decode()
    assert "begins anew on" in shown and 'name="period"' not in shown
    client.post(page, {"calls": "7"})
    row.refresh_from_db()
    assert (row.calls, row.enabled, row.period) == (7, False, "month")
    client.post(url("connectors_usagelimit_delete", row.pk), {"post": "yes"})
    assert UsageLimit.objects.for_tenant(tenant).count() == 1


def test_what_is_wrong_is_said_at_its_field() -> None:
    tenant, client = at_home()
    stranger, _ = make_key(make_tenant())
    good = {"calls": "1", "period": "day", "enabled": "on"}
    for wrong, field in (
        ({"connection": "goals", "tool": "no_such"}, "tool"),
        ({"tool": "list_goals"}, "connection"),
        ({"key": stranger.pk}, "key"),
        ({"connection": "jira"}, "connection"),
        ({"calls": "0"}, "calls"),
        ({"period": "week"}, "period"),
    ):
        answer = client.post(url("connectors_usagelimit_add"), {**good, **wrong})
        assert answer.status_code == 422 and list(answer.context["form"].errors) == [field]
    client.post(url("connectors_usagelimit_add"), good)
    again = client.post(url("connectors_usagelimit_add"), good)
    assert list(again.context["form"].errors) == ["period"]
    assert UsageLimit.objects.for_tenant(tenant).count() == 1


def test_an_operator_sees_no_limits() -> None:
    tenant, client = at_home("operator")
    row = limit_create(tenant=tenant, calls=1, period="day", actor=SYSTEM)
    for page in (url("connectors_usagelimit_changelist"), url("connectors_usagelimit_change", row.pk)):
        assert client.get(page).status_code == 403
