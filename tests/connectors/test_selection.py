from dataclasses import replace
from uuid import uuid4

import pytest

from audit.models import AuditEvent
from common.db import in_db
from connectors import services
from connectors.catalogue import catalogue_of, explain, tool_subject
from connectors.pipeline import UnknownTool, call_tool, catalogue
from connectors.reading import ResourceNotFound, UnknownPrompt, get_prompt, list_resources, read_resource
from connectors.selection import MAX_KEPT, BadSelection, UnknownEndpoint, selection_of
from connectors.snapshot import load
from tenants.errors import AlreadyThere, InvalidValue, NotAllowed
from tenants.principals import Selection
from tests.factories import SYSTEM, actor_of, make_caller, make_connection, make_member, make_tenant


@pytest.fixture
def tenant():
    tenant = make_tenant()
    make_connection(tenant, "goals")
    make_connection(tenant, "probe", slug="first")
    make_connection(tenant, "probe", slug="second")
    return tenant


def chosen(tenant, text: str, header: bytes | None = None, endpoint: str = ""):
    return selection_of(load(tenant.pk), endpoint, f"toolsets={text}".encode() if text else b"", header)


def names_of(tenant, selection, role="operator"):
    caller = replace(make_caller(tenant, role), selection=selection)
    return {entry.name for entry in catalogue_of(load(tenant.pk), caller).tools}


def test_a_query_names_connections_connectors_and_toolsets(tenant):
    assert chosen(tenant, "goals,second") == Selection("", (("goals", "second"),))
    assert chosen(tenant, "probe:write") == Selection("", (("first:write",),)), "the connector's first"
    assert chosen(tenant, "goals%2C%20goals,") == Selection("", (("goals",),))
    assert chosen(tenant, "") is None
    assert selection_of(load(tenant.pk), "", b"toolsets=&other=1", b" , ") is None


def test_a_selection_narrows_tools_resources_and_prompts(tenant):
    everything = names_of(tenant, None)
    assert names_of(tenant, chosen(tenant, "goals")) == {
        name for name in everything if not name.startswith(("probe_", "second__"))
    }
    assert names_of(tenant, chosen(tenant, "second:write")) == {"second__probe_write"}
    caller = replace(make_caller(tenant), selection=chosen(tenant, "second"))
    own = catalogue_of(load(tenant.pk), caller)
    assert set(own.prompts) == {"second__probe-greet"}
    assert {view.ref.slug for view, _ in own.resources} == {"second"}
    part = catalogue_of(load(tenant.pk), replace(caller, selection=chosen(tenant, "second:write")))
    assert (dict(part.prompts), part.resources) == ({}, ()), "they belong to no toolset"


def test_query_and_header_both_narrow(tenant):
    both = chosen(tenant, "goals,first", header=b"first,second")
    assert both == Selection("", (("goals", "first"), ("first", "second")))
    assert {name.split("_")[0] for name in names_of(tenant, both)} == {"probe"}


def test_unknown_names_are_refused_with_the_known_ones(tenant):
    for text in ("jira", "goals:nothing", "first:", "nowhere:write", "x" * 300):
        with pytest.raises(BadSelection) as said:
            chosen(tenant, text)
        assert "first:write" in str(said.value) and "goals" in str(said.value)
        assert len(str(said.value)) < 2000
    with pytest.raises(BadSelection):
        chosen(tenant, "g" * 5000)


def test_what_was_read_once_is_remembered_within_bounds(tenant):
    snapshot = load(tenant.pk)
    assert chosen(tenant, "goals") is chosen(tenant, "goals")
    for number in range(MAX_KEPT + 20):
        selection_of(snapshot, "", f"n={number}".encode(), None)
    assert len(snapshot.selections) <= MAX_KEPT


async def test_calls_reads_and_prompts_outside_the_selection_are_refused_and_explained(tenant):
    def chooser():
        return replace(make_caller(tenant), selection=chosen(tenant, "goals"))

    caller = await in_db(chooser)
    with pytest.raises(UnknownTool):
        await call_tool(caller, "probe_echo", {"text": "x"})
    with pytest.raises(ResourceNotFound):
        await read_resource(caller, "probe://motto")
    with pytest.raises(UnknownPrompt):
        await get_prompt(caller, "probe-greet", {"who": "x"})
    assert not [entry for entry in await list_resources(caller) if entry.uri.startswith("probe")]
    assert not (await call_tool(caller, "list_goals", {})).is_error
    row = await in_db(lambda: AuditEvent.objects.for_tenant(tenant).filter(name="probe_echo").latest("seq"))
    assert (
        row.outcome == "denied" and "The request's toolsets (goals) have not first:probe_echo" in row.message
    )


def test_the_decision_says_why_an_endpoint_refuses(tenant):
    services.endpoint_create(
        tenant=tenant, slug="desk", toolsets=["probe"], include=["goals:list_*"], read_only=True, actor=SYSTEM
    )
    snapshot = load(tenant.pk)
    caller = replace(make_caller(tenant), selection=chosen(tenant, "", endpoint="desk"))
    tools = catalogue_of(snapshot, caller).callable_tools
    assert {"probe_echo", "list_goals"} <= set(tools)
    assert not {"probe_write", "create_goal", "get_goal", "second__probe_echo"} & set(tools)

    def why(name):
        entry = snapshot.tools[name]
        return explain(snapshot, caller, entry.connection, tool_subject(entry)).reason

    assert why("probe_write") == "The endpoint desk is read-only."
    assert why("get_goal") == "The endpoint desk does not have goals:get_goal."
    gone = replace(caller, selection=Selection("gone"))
    assert catalogue_of(snapshot, gone).tools == ()
    key = {caller.rights_key, gone.rights_key, replace(caller, selection=None).rights_key}
    assert len(key) == 3


async def test_an_endpoint_that_changes_changes_what_its_callers_may_use(tenant):
    row = await in_db(
        lambda: services.endpoint_create(tenant=tenant, slug="desk", toolsets=["goals"], actor=SYSTEM)
    )
    caller = replace(await in_db(make_caller, tenant), selection=Selection("desk"))
    assert (await catalogue(caller)).find("list_goals")
    row = await in_db(lambda: services.endpoint_update(row, toolsets=["first"], actor=SYSTEM))
    assert not (await in_db(lambda: catalogue_of(load(tenant.pk), caller))).find("list_goals")
    await in_db(lambda: services.endpoint_update(row, enabled=False, actor=SYSTEM))
    assert (await in_db(lambda: catalogue_of(load(tenant.pk), caller))).tools == ()
    with pytest.raises(UnknownEndpoint):
        await in_db(lambda: chosen(tenant, "", endpoint="desk"))


def test_endpoints_are_made_changed_and_removed_by_admins_and_audited(tenant):
    admin = actor_of(make_member(tenant, "admin").user)
    row = services.endpoint_create(tenant=tenant, slug="help-desk", toolsets=["goals"], actor=admin)
    version = row.tenant.version
    assert row.name == "help-desk"
    services.endpoint_update(row, name="Help", include=["*:list_*"], deferred=True, actor=admin)
    services.endpoint_delete(row, actor=admin)
    names = list(
        AuditEvent.objects.for_tenant(tenant)
        .filter(name__startswith="endpoint.")
        .order_by("seq")
        .values_list("name", flat=True)
    )
    assert names == ["endpoint.create help-desk", "endpoint.update help-desk", "endpoint.delete help-desk"]
    tenant.refresh_from_db()
    assert tenant.version >= version + 2
    with pytest.raises(NotAllowed):
        operator = actor_of(make_member(tenant, "operator").user)
        services.endpoint_create(tenant=tenant, slug="mine", actor=operator)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"slug": "X"}, "slug"),
        ({"slug": "a"}, "slug"),
        ({"slug": "a/b"}, "slug"),
        ({"slug": "ok", "toolsets": ["jira"]}, "toolsets"),
        ({"slug": "ok", "toolsets": ["goals:nothing"]}, "toolsets"),
        ({"slug": "ok", "include": ["no pattern"]}, "include"),
        ({"slug": "ok", "name": "a\x00b"}, "name"),
    ],
)
def test_what_an_endpoint_cannot_be_names_its_field(tenant, given, field):
    with pytest.raises(InvalidValue) as said:
        services.endpoint_create(tenant=tenant, actor=SYSTEM, **given)
    assert (said.value.field or "").startswith(field)


def test_a_slug_is_used_once_and_a_lost_connection_blocks_no_change(tenant):
    row = services.endpoint_create(tenant=tenant, slug="desk", toolsets=["goals", "second"], actor=SYSTEM)
    with pytest.raises(AlreadyThere):
        services.endpoint_create(tenant=tenant, slug="desk", actor=SYSTEM)
    from connectors.models import Connection

    services.connection_delete(Connection.objects.for_tenant(tenant).get(slug="goals"), actor=SYSTEM)
    row = services.endpoint_update(row, toolsets=["goals", "second"], read_only=True, actor=SYSTEM)
    assert row.read_only
    only = services.endpoint_update(row, toolsets=["goals"], actor=SYSTEM)
    caller = replace(make_caller(tenant), selection=Selection(only.slug))
    assert catalogue_of(load(tenant.pk), caller).tools == (), "what is gone must not turn into everything"


def test_another_tenants_endpoint_means_nothing_here(tenant):
    services.endpoint_create(tenant=make_tenant(), slug="desk", actor=SYSTEM)
    with pytest.raises(UnknownEndpoint):
        chosen(tenant, "", endpoint="desk")
    assert replace(make_caller(tenant), principal_id=uuid4()).selection is None
