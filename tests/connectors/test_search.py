import json
from dataclasses import replace

import pytest

from audit.models import AuditEvent
from common.db import in_db
from connectors import search, services
from connectors.catalogue import catalogue_of
from connectors.deferred import CALL, SEARCH, opened
from connectors.pipeline import UnknownTool, call_tool, catalogue
from connectors.search import ToolIndex
from connectors.snapshot import load
from tenants.principals import Selection
from tenants.services import tenant_update
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant


def make_place(deferred: bool = True):
    tenant = make_tenant()
    for connector in ("goals", "memory", "probe", "restaurant"):
        make_connection(tenant, connector)
    return tenant_update(tenant=tenant, deferred_tools=deferred, actor=SYSTEM)


@pytest.fixture(scope="module")
def shared(database):
    """A tenant that no test changes."""
    return make_place()


@pytest.fixture
def tenant():
    tenant = make_tenant()
    for connector in ("goals", "probe"):
        make_connection(tenant, connector)
    return tenant_update(tenant=tenant, deferred_tools=True, actor=SYSTEM)


async def found_by(caller, query, **more):
    result = await call_tool(caller, SEARCH, {"query": query, **more})
    assert not result.is_error, result.content
    return result.structured


def rows_of(tenant):
    return list(AuditEvent.objects.for_tenant(tenant).filter(kind__in=["call", "denial"]).order_by("seq"))


async def test_two_tools_are_listed_and_the_others_can_still_be_called(tenant):
    caller = await in_db(make_caller, tenant)
    own = await catalogue(caller)
    assert [entry.name for entry in own.listed] == [CALL, SEARCH]
    assert own.listed[1].spec.hints.read_only and not own.listed[0].spec.hints.read_only
    assert own.instructions.startswith("Most tools are not listed")
    assert (await call_tool(caller, "probe_echo", {"text": "direct"})).structured == {"said": "direct"}


async def test_without_the_switch_the_two_do_not_exist():
    tenant = await in_db(make_place, False)
    caller = await in_db(make_caller, tenant)
    assert (await catalogue(caller)).listed == (await catalogue(caller)).tools
    for name, arguments in (
        (SEARCH, {"query": "x"}),
        (CALL, {"name": "probe_echo", "arguments": {"text": "x"}}),
    ):
        with pytest.raises(UnknownTool):
            await call_tool(caller, name, arguments)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("create a goal", "create_goal"),
        ("goals listing", "list_goals"),
        ("say something again", "probe_echo"),
        ("restaurant menu", "list_menu_items"),
        ("probeEcho", "probe_echo"),
        ("restaur", "health_check"),
    ],
)
async def test_the_search_finds_what_is_meant_with_its_schema(shared, query, expected):
    caller = await in_db(make_caller, shared)
    answer = await found_by(caller, query, limit=10)
    hits = {row["name"]: row for row in answer["tools"]}
    assert expected in hits
    assert hits[expected]["input_schema"] == (await catalogue(caller)).find(expected).spec.input_schema
    assert answer["total"] == len((await catalogue(caller)).tools)


async def test_a_search_without_a_hit_names_the_systems(tenant):
    caller = await in_db(make_caller, tenant)
    answer = await found_by(caller, "zzzqqq ***")
    assert answer["tools"] == [] and "Goals" in " ".join(answer["systems"])
    assert (await found_by(caller, '" OR name:* NEAR( --;'))["tools"] is not None


async def test_only_what_a_caller_may_use_is_found(shared):
    viewer = await in_db(make_caller, shared, "viewer")
    narrow = await in_db(lambda: make_caller(shared, allow=["memory:*"]))
    chosen = replace(await in_db(make_caller, shared), selection=Selection("", (("memory",),)))
    assert "create_goal" not in str(await found_by(viewer, "create goal", limit=20))
    for caller in (narrow, chosen):
        rows = (await found_by(caller, "goal probe echo cache get set list", limit=20))["tools"]
        assert rows and {row["connection"] for row in rows} == {
            (await catalogue(caller)).tools[0].connection.ref.name
        }


async def test_a_call_through_the_search_is_the_tools_own_call(tenant):
    caller = await in_db(make_caller, tenant)
    result = await call_tool(caller, CALL, {"name": "probe_echo", "arguments": {"text": "hi"}})
    assert result.structured == {"said": "hi"}
    await call_tool(caller, CALL, {"name": "probe_write", "arguments": {"text": "hi"}})
    rows = await in_db(rows_of, tenant)
    assert [(row.name, row.connection, row.phase) for row in rows] == [
        ("probe_echo", "probe", "done"),
        ("probe_write", "probe", "attempt"),
        ("probe_write", "probe", "done"),
    ]


async def test_what_is_wrong_inside_is_said_as_the_tool_itself_says_it(tenant):
    caller = await in_db(make_caller, tenant, "viewer")

    async def refused(arguments):
        result = await call_tool(caller, CALL, arguments)
        assert result.is_error
        return json.loads(result.content[0].text)

    assert (await refused({"name": "probe_number", "arguments": {"number": 99}}))[
        "code"
    ] == "invalid_arguments"
    unknown = await refused({"name": "no_such_tool", "arguments": {}})
    forbidden = await refused({"name": "probe_write", "arguments": {"text": "x"}})
    assert unknown["code"] == forbidden["code"] == "unknown_tool"
    assert unknown["error"].replace("no_such_tool", "") == forbidden["error"].replace("probe_write", "")
    for broken in (
        {},
        {"name": 7},
        {"name": "probe_echo", "arguments": []},
        {"name": "probe_echo", "other": 1},
    ):
        assert (await refused(broken))["code"] == "invalid_arguments", broken
    itself = await refused({"name": CALL, "arguments": {"name": "probe_echo"}})
    assert "cannot call itself" in itself["error"]
    rows = await in_db(rows_of, tenant)
    assert [(row.name, row.outcome) for row in rows if row.name == "probe_write"] == [
        ("probe_write", "denied")
    ]


async def test_confirmation_holds_for_wrapped_calls(tenant):
    await in_db(
        lambda: services.permission_set(
            tenant=tenant, role="operator", allow=[], deny=[], confirm=["probe:probe_echo"], actor=SYSTEM
        )
    )
    caller = await in_db(make_caller, tenant)
    result = await call_tool(caller, CALL, {"name": "probe_echo", "arguments": {"text": "x"}})
    assert result.is_error and "confirmation_required" in result.content[0].text


def test_an_endpoint_decides_for_itself(tenant):
    services.endpoint_create(tenant=tenant, slug="plain", toolsets=["goals"], actor=SYSTEM)
    services.endpoint_create(tenant=tenant, slug="searched", toolsets=["goals"], deferred=True, actor=SYSTEM)
    snapshot, caller = load(tenant.pk), make_caller(tenant)
    lists = {
        slug: [e.name for e in catalogue_of(snapshot, replace(caller, selection=Selection(slug))).listed]
        for slug in ("plain", "searched")
    }
    assert lists["searched"] == [CALL, SEARCH] and "list_goals" in lists["plain"]


def test_the_list_of_a_deferred_catalogue_changes_with_no_permission(tenant):
    operator, viewer = make_caller(tenant), make_caller(tenant, "viewer")
    snapshot = load(tenant.pk)
    one, other = catalogue_of(snapshot, operator), catalogue_of(snapshot, viewer)
    assert one.lists[0] == other.lists[0] and one.digest != other.digest


def test_indexes_are_shared_by_equal_lists_and_bounded(tenant, monkeypatch):
    monkeypatch.setattr(search, "MAX_INDEXES", 3)
    tools = catalogue_of(load(tenant.pk), make_caller(tenant)).tools
    first = search.index_of("same", tools)
    assert search.index_of("same", tools) is first
    for number in range(5):
        search.index_of(f"other {number}", tools[:3])
    assert len(search._indexes) <= 3
    assert ToolIndex(tools).search("", 5) == [] == ToolIndex(()).search("goal", 5)


def test_only_a_sound_wrapping_is_opened(tenant):
    callable_tools = catalogue_of(load(tenant.pk), make_caller(tenant)).callable_tools
    assert opened(callable_tools, CALL, {"name": "probe_echo"}) == ("probe_echo", {})
    assert opened(callable_tools, "probe_echo", {"name": "probe_echo"}) is None
    assert opened({}, CALL, {"name": "probe_echo"}) is None
