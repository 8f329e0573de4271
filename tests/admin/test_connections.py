"""The connection form, its secrets, the switches and trying tools."""

import json
from typing import Any

from audit.models import AuditEvent
from connectors.models import Connection, Credential, ToolSwitch
from connectors.snapshot import load
from tests.admin.conftest import PLANTED, World, sign_in, url
from tests.factories import make_connection, make_key, make_member, make_tenant


def stored(connection: Any) -> dict[str, Any]:
    """The credential in the clear."""
    from common.vault import decrypt
    from connectors.context import CREDENTIAL_PURPOSE

    row = Credential.objects.for_tenant(connection.tenant_id).get(connection=connection)
    return json.loads(decrypt(connection.tenant, row.pk, CREDENTIAL_PURPOSE, row.ciphertext))


def fields(client: Any, page: str) -> dict[str, str]:
    """What a browser would send back if nobody touched the form."""
    form, found = client.get(page).context["form"], {}
    for bound in form:
        value = bound.value()
        if value in (None, False, "") or isinstance(value, bool):
            if value is True:
                found[bound.html_name] = "on"
            continue
        found[bound.html_name] = str(bound.field.prepare_value(value))
    return found


def fresh() -> tuple[Any, Any, Any]:
    tenant = make_tenant()
    connection = make_connection(
        tenant,
        "vaulted",
        slug="vault",
        settings={"region": "north"},
        credential={"user": "u", "token": PLANTED},
    )
    return tenant, connection, sign_in(make_member(tenant, "admin").user)


def test_adding_begins_with_a_choice_and_ends_on_the_connections_page() -> None:
    tenant = make_tenant()
    client = sign_in(make_member(tenant, "admin").user)
    assert "Vaulted" in client.get(url("connectors_connection_add")).content.decode()
    page = url("connectors_connection_add") + "?connector=vaulted"
    text = client.get(page).content.decode()
    assert "Which &lt;b&gt;stations&lt;/b&gt;." in text  # a description is text, never markup
    answer = client.post(
        page,
        {
            "name": "My vault", "slug": "vault", "enabled": "on", "settings_region": "south",
            "settings_retries": "4", "settings_ratio": "0.25", "settings_colour": "blue", "settings_mode": "fast",
            "settings_hosts": "a\nb", "settings_nested": '{"depth": 3}', "credential_mode": "shared",
            "credential_user": "u", "credential_token": PLANTED,
        },
    )  # fmt: skip
    connection = Connection.objects.for_tenant(tenant).get(slug="vault")
    assert answer["Location"] == url("connectors_connection_change", connection.pk)
    assert connection.settings == {
        "region": "south", "retries": 4, "ratio": 0.25, "verbose": False, "colour": "blue", "mode": "fast",
        "hosts": ["a", "b"], "nested": {"depth": 3}, "note": None,
    }  # fmt: skip
    assert stored(connection) == {"user": "u", "token": PLANTED}


def test_wrong_settings_are_errors_at_their_field_and_nothing_is_stored() -> None:
    tenant = make_tenant()
    client = sign_in(make_member(tenant, "admin").user)
    page = url("connectors_connection_add") + "?connector=vaulted"
    values = {"slug": "vault", "settings_region": "x", "settings_colour": "red", "settings_mode": "safe"}
    answer = client.post(page, {**values, "settings_retries": "99", "credential_mode": "none"})
    assert answer.status_code == 422
    assert "settings_retries" in answer.context["form"].errors
    answer = client.post(page, {**values, "credential_mode": "none"})
    assert answer.status_code == 422
    assert "settings_region" in answer.context["form"].errors  # found by the connector's own model
    assert not Connection.objects.for_tenant(tenant).exists()


def test_a_taken_slug_is_an_error_at_the_slug() -> None:
    _, _, client = fresh()
    answer = client.post(url("connectors_connection_add") + "?connector=goals", {"slug": "vault"})
    assert answer.status_code == 422
    assert "slug" in answer.context["form"].errors


def test_an_unknown_connector_is_not_found() -> None:
    _, _, client = fresh()
    assert client.get(url("connectors_connection_add") + "?connector=nope").status_code == 404


def test_an_unchanged_form_keeps_the_secret_and_changes_nothing() -> None:
    tenant, connection, client = fresh()
    page = url("connectors_connection_change", connection.pk)
    before = Credential.objects.for_tenant(tenant).get(connection=connection)
    assert client.post(page, fields(client, page)).status_code == 302
    after = Credential.objects.for_tenant(tenant).get(connection=connection)
    assert bytes(after.ciphertext) == bytes(before.ciphertext)
    assert after.version == before.version
    assert Connection.objects.for_tenant(tenant).get(pk=connection.pk).version == connection.version


def test_a_typed_secret_replaces_the_old_one_and_is_not_shown() -> None:
    _, connection, client = fresh()
    page = url("connectors_connection_change", connection.pk)
    assert "Leave empty to keep it" in client.get(page).content.decode()
    answer = client.post(
        page, {**fields(client, page), "credential_token": "another-planted-one"}, follow=True
    )
    assert "another-planted-one" not in answer.content.decode()
    assert stored(connection) == {"user": "u", "token": "another-planted-one"}


def test_a_refused_form_does_not_send_the_typed_secret_back() -> None:
    _, connection, client = fresh()
    page = url("connectors_connection_change", connection.pk)
    answer = client.post(
        page, {**fields(client, page), "settings_region": "x", "credential_token": "typed-planted"}
    )
    assert answer.status_code == 422
    assert "typed-planted" not in answer.content.decode()
    assert stored(connection)["token"] == PLANTED  # both or neither


def test_a_stored_credential_is_removed_when_asked() -> None:
    tenant, connection, client = fresh()
    assert client.post(url("connectors_connection_credential", connection.pk)).status_code == 302
    assert not Credential.objects.for_tenant(tenant).filter(connection=connection).exists()


def test_the_test_button_stores_and_shows_what_it_found() -> None:
    tenant = make_tenant()
    connection = make_connection(tenant, "goals")
    client = sign_in(make_member(tenant, "admin").user)
    answer = client.post(url("connectors_connection_check", connection.pk), follow=True)
    assert answer.status_code == 200
    assert Connection.objects.for_tenant(tenant).get(pk=connection.pk).health.ok
    assert client.get(url("connectors_connection_check", connection.pk)).status_code == 403  # only by POST


def switches(connection: Any) -> dict[str, bool]:
    return {
        row.tool or f"set:{row.toolset}": row.enabled
        for row in ToolSwitch.objects.for_tenant(connection.tenant_id).filter(connection=connection)
    }


def test_only_switches_that_were_moved_are_stored() -> None:
    _, connection, client = fresh()
    page = url("connectors_connection_tools", connection.pk)
    assert client.post(page, {"tool_vaulted_say": "on"}).status_code == 302  # nothing moved
    assert switches(connection) == {}
    client.post(page, {"tool_vaulted_wipe": "on"})
    assert switches(connection) == {"vaulted_say": False, "vaulted_wipe": True}
    client.post(page, {"tool_vaulted_say": "on"})  # back to what both have by default
    assert switches(connection) == {}


def test_a_toolset_is_switched_as_a_whole_and_read_only_stops_all_writes() -> None:
    tenant, connection, client = fresh()
    page = url("connectors_connection_tools", connection.pk)
    client.post(page, {"tool_vaulted_say": "on", "set_delete": "on", "read_only": "on"})
    assert switches(connection) == {"set:delete": True}
    assert Connection.objects.for_tenant(tenant).get(pk=connection.pk).read_only
    assert load(tenant.pk).connection("vault").rules.read_only


def try_tool(client: Any, connection: Any, tool: str, **values: str) -> Any:
    return client.post(url("connectors_connection_tool", connection.pk, tool), {"run_as": "me", **values})


def test_a_tried_tool_shows_its_result_and_leads_to_its_audit_row() -> None:
    tenant, connection, client = fresh()
    answer = try_tool(client, connection, "vaulted_say", arg_word="hello", arg_times="2", arg_loud="true")
    outcome = answer.context["outcome"]
    assert outcome["ok"], outcome
    assert json.loads(outcome["parts"][0]["text"]) == {"said": ["HELLO", "HELLO"]}
    event = AuditEvent.objects.for_tenant(tenant).filter(kind="call", name="vaulted_say").get()
    assert outcome["event_url"] == url("audit_auditevent_change", event.pk)
    assert event.via == "admin"
    assert client.get(outcome["event_url"]).status_code == 200


def test_raw_json_reaches_the_tool_as_written_and_a_typo_is_an_error() -> None:
    _, connection, client = fresh()
    answer = try_tool(client, connection, "vaulted_say", mode="raw", raw='{"word": "x", "times": 9}')
    assert not answer.context["outcome"]["ok"]  # the schema is the pipeline's to check
    assert "times" in answer.context["outcome"]["parts"][0]["text"]
    answer = try_tool(client, connection, "vaulted_say", mode="raw", raw='{"word": ')
    assert answer.context["outcome"] is None
    assert "raw" in answer.context["form"].errors


def test_running_as_somebody_only_narrows() -> None:
    tenant = make_tenant()
    connection = make_connection(tenant, "goals")
    admin = sign_in(make_member(tenant, "admin").user)
    key, _ = make_key(tenant, "operator", read_only=True)
    answer = try_tool(admin, connection, "create_goal", run_as=f"k:{key.pk}", arg_description="x")
    assert not answer.context["decision"].allowed
    assert not answer.context["outcome"]["ok"]
    refused = AuditEvent.objects.for_tenant(tenant).filter(kind="denial").get()
    assert refused.key_id == key.pk
    assert refused.actor_name  # the person behind it
    # A role rule on the actor's own role binds the run-as of a stronger key too.
    from connectors.services import permission_set
    from tests.factories import SYSTEM, make_service_account

    permission_set(tenant=tenant, role="admin", allow=[], deny=["goals:list_goals"], actor=SYSTEM)
    owner = make_service_account(tenant, "owner")
    answer = try_tool(admin, connection, "list_goals", run_as=f"p:{owner.pk}")
    assert not answer.context["outcome"]["ok"]
    assert "actor" in next(step.rule for step in answer.context["decision"].steps if not step.allowed)


def test_nobody_runs_as_a_principal_or_key_of_another_tenant(world: World) -> None:
    _, connection, client = fresh()
    for choice in (
        f"p:{world.right.people['owner'].pk}",
        f"k:{world.right.things['accesskey'].pk}",
        "p:x",
        "k:",
        "zz",
    ):
        page = url("connectors_connection_tool", connection.pk, "vaulted_say")
        assert client.get(page, {"as": choice}).status_code == 404, choice
        assert client.post(page, {"run_as": choice, "arg_word": "x"}).status_code == 404, choice


def test_a_superuser_who_is_no_member_explains_but_calls_nothing(world: World) -> None:
    client = sign_in(world.superuser, world.left.tenant)
    connection = world.left.things["connection"]
    page = url("connectors_connection_tool", connection.pk, "vaulted_say")
    viewer = f"p:{world.left.people['viewer'].pk}"
    explained = client.get(page, {"as": viewer})
    assert explained.context["decision"].allowed
    assert client.post(page, {"run_as": viewer, "arg_word": "x"}).status_code == 403
    assert client.post(page, {"run_as": "me", "arg_word": "x"}).status_code == 403
    assert not AuditEvent.objects.for_tenant(world.left.tenant).filter(kind="call").exists()


def test_the_page_explains_why_a_caller_may_not_use_a_tool() -> None:
    tenant = make_tenant()
    connection = make_connection(tenant, "goals")
    viewer = make_member(tenant, "viewer")
    client = sign_in(make_member(tenant, "admin").user)
    page = url("connectors_connection_tool", connection.pk, "create_goal")
    text = client.get(page, {"as": f"p:{viewer.pk}"}).content.decode()
    assert "May not use it." in text
    assert "The role viewer may not use tools that write." in text


def test_a_member_stores_an_own_credential_that_nobody_else_sees_or_uses() -> None:
    tenant, connection, _ = fresh()
    from connectors.services import connection_update
    from tests.factories import SYSTEM

    connection_update(connection, actor=SYSTEM, credential_mode="principal")
    viewer = make_member(tenant, "viewer")
    client = sign_in(viewer.user)
    assert "not connected" in client.get(url("index")).content.decode()
    page = url("connectors_connection_mine", connection.pk)
    refused = client.post(page, {"credential_user": "v"})
    assert refused.status_code == 422
    done = client.post(page, {"credential_user": "v", "credential_token": "own-planted"}, follow=True)
    assert "own-planted" not in done.content.decode()
    assert "not connected" not in done.content.decode()
    rows = Credential.objects.for_tenant(tenant).filter(connection=connection)
    assert {row.principal_id for row in rows} == {None, viewer.pk}
    assert client.get(page).status_code == 200
    other = sign_in(make_member(tenant, "operator").user)
    assert "not connected" in other.get(url("index")).content.decode()


def test_a_shared_connection_has_no_page_for_own_accounts() -> None:
    _, connection, client = fresh()
    assert client.get(url("connectors_connection_mine", connection.pk)).status_code == 404
