from audit.models import AuditEvent
from connectors.models import UsageLimit
from tests.api.test_api import client
from tests.factories import make_connection, make_key, make_tenant


def at_home(role: str = "admin"):
    tenant = make_tenant()
    make_connection(tenant, "goals")
    return tenant, client(make_key(tenant, role)[1]), f"/api/v1/tenants/{tenant.slug}"


def test_limits_are_made_listed_with_their_use_changed_and_removed():
    tenant, api, base = at_home()
    key, secret = make_key(tenant)
    made = api.post(f"{base}/limits", {"calls": 3, "period": "hour"}, format="json")
    assert made.status_code == 201, made.content
    body = {"key": key.pk, "connection": "goals", "tool": "list_goals", "calls": 2, "period": "month"}
    narrow = api.post(f"{base}/limits", body, format="json").json()
    assert {name: narrow[name] for name in body} == body
    for _ in range(3):
        call = {"name": "list_goals", "arguments": {}}
        answer = client(secret).post(f"{base}/call-tool", call, format="json").json()
    assert answer["is_error"] and "quota" in answer["content"][0]["text"]
    wide, of_key = api.get(f"{base}/limits").json()["results"]
    assert (wide["used"], wide["left"], wide["key"], wide["connection"]) == (2, 1, None, None)
    assert (of_key["used"], of_key["left"]) == (2, 0)
    assert wide["resets_at"] and of_key["resets_at"].endswith("Z")
    one = f"{base}/limits/{narrow['id']}"
    changed = api.patch(one, {"calls": 5, "enabled": False}, format="json").json()
    assert (changed["calls"], changed["enabled"], changed["left"]) == (5, False, 3)
    assert api.get(one).json()["used"] == 2
    assert api.delete(one).status_code == 204
    assert UsageLimit.objects.for_tenant(tenant).count() == 1
    names = AuditEvent.objects.for_tenant(tenant).filter(name__startswith="limit.").order_by("seq")
    assert [name.split()[0] for name in names.values_list("name", flat=True)] == [
        "limit.create", "limit.create", "limit.update", "limit.delete",
    ]  # fmt: skip
    assert key.pk in names[1].arguments  # which key, by its public id


def test_what_is_wrong_with_a_limit_is_named():
    tenant, api, base = at_home()
    stranger, _ = make_key(make_tenant())
    good = {"calls": 1, "period": "day"}
    for wrong, field in (
        ({"calls": 0}, "calls"),
        ({"calls": 10**10}, "calls"),
        ({"period": "week"}, "period"),
        ({"key": stranger.pk}, "key"),
        ({"connection": "jira"}, "connection"),
        ({"tool": "list_goals"}, "connection"),
        ({"connection": "goals", "tool": "no_such"}, "tool"),
        ({"colour": "red"}, "colour"),
    ):
        answer = api.post(f"{base}/limits", {**good, **wrong}, format="json")
        assert answer.status_code == 400, answer.content
        assert [error["field"] for error in answer.json()["errors"]] == [field], answer.content
    made = api.post(f"{base}/limits", good, format="json").json()
    assert api.post(f"{base}/limits", good, format="json").status_code == 409
    assert api.patch(f"{base}/limits/{made['id']}", {"period": "hour"}, format="json").status_code == 400
    assert UsageLimit.objects.for_tenant(tenant).count() == 1


def test_operators_neither_see_nor_change_limits():
    tenant, api, base = at_home("operator")
    assert api.get(f"{base}/limits").status_code == 403
    assert api.post(f"{base}/limits", {"calls": 1, "period": "day"}, format="json").status_code == 403
    assert not UsageLimit.objects.for_tenant(tenant).exists()
