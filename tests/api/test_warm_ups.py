from common.redis import sync_client, tenant_key
from connectors.models import WarmUp
from connectors.warming import ROOM, RUNS_NOW
from tests.api.test_api import client
from tests.connectors.warm_tools import have_it, noted
from tests.factories import make_connection, make_key, make_tenant

have_it()


def at_home(role="admin"):
    tenant = make_tenant()
    make_connection(tenant, "warmed", credential_mode="shared", credential={"token": "pl4nted-warm-token"})
    return tenant, client(make_key(tenant, role)[1]), f"/api/v1/tenants/{tenant.slug}"


def test_warm_ups_are_made_run_changed_and_removed(tmp_path):
    tenant, api, base = at_home()
    body = {
        "connection": "warmed",
        "tool": "warmed_read",
        "arguments": {"folder": str(tmp_path)},
        "schedule": "0 6 * * mon-fri",
    }
    made = api.post(f"{base}/warm-ups", body, format="json")
    assert made.status_code == 201, made.content
    row = made.json()
    assert {name: row[name] for name in body} == body
    assert row["enabled"] and row["last_ok"] is None and row["next_at"]
    one = f"{base}/warm-ups/{row['id']}"
    ran = api.post(f"{one}/run", format="json").json()
    assert ran["last_ok"] and ran["last_at"] and len(noted(tmp_path)) == 1
    call = {"name": "warmed_read", "arguments": body["arguments"]}
    answer = api.post(f"{base}/call-tool", call, format="json").json()
    assert (answer["structured_content"]["run"], answer["meta"]["cache"]) == (1, "hit")
    assert len(noted(tmp_path)) == 1, "the answer was ready"
    changed = api.patch(one, {"enabled": False, "schedule": "*/10 * * * *"}, format="json").json()
    assert (changed["enabled"], changed["schedule"], changed["next_at"]) == (False, "*/10 * * * *", None)
    assert [found["id"] for found in api.get(f"{base}/warm-ups").json()["results"]] == [row["id"]]
    assert api.get(one).json() == changed
    assert api.delete(one).status_code == 204
    assert not WarmUp.objects.for_tenant(tenant).exists()


def test_a_warm_up_that_runs_already_is_not_run_beside_nor_any_too_often(tmp_path):
    tenant, api, base = at_home()
    body = {"connection": "warmed", "tool": "warmed_read", "arguments": {"folder": str(tmp_path)}}
    one = f"{base}/warm-ups/{api.post(f'{base}/warm-ups', body, format='json').json()['id']}"
    row = WarmUp.objects.for_tenant(tenant).get()
    sync_client().set(tenant_key(tenant.pk, ROOM, row.pk.hex), "another", ex=60)
    said = api.post(f"{one}/run", format="json")
    assert (said.status_code, said.json()["code"]) == (409, "wrong_state")
    again = [api.post(f"{one}/run", format="json") for _ in range(RUNS_NOW)]
    assert [answer.status_code for answer in again] == [409] * (RUNS_NOW - 1) + [429]
    assert 0 < int(again[-1]["Retry-After"]) <= 61


def test_what_is_wrong_with_a_warm_up_is_named(tmp_path):
    _, api, base = at_home()
    good = {"connection": "warmed", "tool": "warmed_read", "arguments": {"folder": str(tmp_path)}}
    for wrong, field in (
        ({"connection": "jira"}, "connection"),
        ({"tool": "warmed_write"}, "tool"),
        ({"tool": "no_such"}, "tool"),
        ({"arguments": {"folder": 3}}, "arguments"),
        ({"schedule": "now"}, "schedule"),
        ({"colour": "red"}, "colour"),
    ):
        answer = api.post(f"{base}/warm-ups", {**good, **wrong}, format="json")
        assert answer.status_code == 400, answer.content
        assert [error["field"] for error in answer.json()["errors"]] == [field], answer.content


def test_operators_do_not_see_warm_ups():
    _, api, base = at_home("operator")
    assert api.get(f"{base}/warm-ups").status_code == 403
