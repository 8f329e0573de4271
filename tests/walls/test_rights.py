"""Rights only narrow: a run-as never gains one, a second connection loosens none."""

from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.db import in_db
from connectors.permissions import ConnectionRules, RoleRule, Subject, decide
from connectors.pipeline import UnknownTool, call_tool, catalogue
from connectors.services import permission_set, switch_set
from tenants.principals import Caller, KeyRights, PrincipalKind, Role, TenantRef
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant

TOOLS = ["get_goal", "create_goal", "delete_goal"]
PATTERNS = ["*:*", "goals:*", "other:*", "*:get_goal", "goals:create_goal", "*:delete_*", "goals:get_*"]

patterns = st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple)
rights = st.builds(KeyRights, allow=patterns, deny=patterns, read_only=st.booleans())
roles = st.sampled_from(list(Role))
switches = st.dictionaries(st.sampled_from(TOOLS), st.booleans(), max_size=2)
connections = st.builds(
    ConnectionRules, slug=st.sampled_from(["goals", "other"]), enabled=st.booleans(), read_only=st.booleans(),
    toolsets=st.dictionaries(st.sampled_from(["core", "write"]), st.booleans(), max_size=2), tools=switches,
    seen_tools=st.frozensets(st.sampled_from(TOOLS)),
)  # fmt: skip
subjects = st.builds(
    Subject, name=st.sampled_from(TOOLS), writes=st.booleans(), toolset=st.sampled_from(["core", "write"]),
    default_on=st.booleans(),
)  # fmt: skip
role_rules = st.dictionaries(roles, st.builds(RoleRule, allow=patterns, deny=patterns), max_size=4)
tenants = st.builds(
    TenantRef, id=st.just(uuid4()), slug=st.just("t"), name=st.just("T"), read_only=st.booleans()
)


@st.composite
def callers(draw, tenant=None, actor=None):
    return Caller(
        tenant or TenantRef(uuid4(), "t", "T"), uuid4(), PrincipalKind.SERVICE_ACCOUNT, "somebody", draw(roles),
        rights=draw(rights), key_id=draw(st.sampled_from(["", "0123456789ab"])), actor=actor,
    )  # fmt: skip


def as_target(actor: Caller, target: Caller) -> Caller:
    return Caller(
        target.tenant, target.principal_id, target.principal_kind, target.principal_name, target.role,
        rights=target.rights, key_id=target.key_id, actor=actor,
    )  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(callers(), callers(), connections, subjects, tenants, role_rules)
def test_a_run_as_may_exactly_what_both_may(actor, target, connection, subject, tenant, rules):
    def may(caller):
        return decide(caller, connection, subject, tenant=tenant, role_rules=rules).allowed

    assert may(as_target(actor, target)) == (may(actor) and may(target))
    # A run-as within a run-as gains nothing either.
    assert may(as_target(as_target(actor, target), target)) <= may(actor)


@settings(max_examples=250, deadline=None)
@given(callers(), connections, subjects, tenants, role_rules, rights)
def test_a_keys_rights_never_add_to_its_role(caller, connection, subject, tenant, rules, narrowing):
    def may(caller):
        return decide(caller, connection, subject, tenant=tenant, role_rules=rules).allowed

    bare = Caller(
        caller.tenant, caller.principal_id, caller.principal_kind, caller.principal_name, caller.role,
        key_id="0123456789ab",
    )  # fmt: skip
    keyed = Caller(
        caller.tenant, caller.principal_id, caller.principal_kind, caller.principal_name, caller.role,
        key_id="0123456789ab", rights=narrowing,
    )  # fmt: skip
    assert may(keyed) <= may(bare)
    if subject.writes:
        assert not (may(keyed) and caller.role is Role.VIEWER)
        assert not (may(keyed) and (tenant.read_only or connection.read_only or narrowing.read_only))
    assert not (may(keyed) and not connection.enabled)


@settings(max_examples=150, deadline=None)
@given(callers(), connections, subjects, tenants, role_rules)
def test_a_decision_tells_every_reason_and_its_verdict_is_theirs(caller, connection, subject, tenant, rules):
    decision = decide(caller, connection, subject, tenant=tenant, role_rules=rules)
    assert decision.allowed == all(step.allowed for step in decision.steps)
    assert decision.reason and all(step.text for step in decision.steps)


async def exposed(caller):
    return {entry.name: entry.identity for entry in (await catalogue(caller)).tools}


async def test_a_second_connection_renames_nothing_and_loosens_no_pattern():
    tenant = await in_db(make_tenant)
    first = await in_db(make_connection, tenant, "probe")
    people = [
        await in_db(make_caller, tenant),
        await in_db(lambda: make_caller(tenant, allow=["probe:*"])),
        await in_db(lambda: make_caller(tenant, deny=["probe:probe_write"])),
        await in_db(lambda: make_caller(tenant, allow=["*:probe_echo"])),
        await in_db(make_caller, tenant, "viewer"),
    ]
    await in_db(lambda: switch_set(first, tool="probe_number", enabled=False, actor=SYSTEM))
    await in_db(lambda: permission_set(tenant=tenant, role="operator", allow=[], deny=["probe:probe_slow"], actor=SYSTEM))  # fmt: skip
    before = [await exposed(caller) for caller in people]

    second = await in_db(make_connection, tenant, "probe", "again")
    after = [await exposed(caller) for caller in people]
    for old, new in zip(before, after, strict=True):
        assert old.items() <= new.items(), "a name means something else now"
        assert all(name.startswith("again__") for name in new.keys() - old.keys())
    operator, of_first, without_write, echo_only, viewer = after
    assert operator["again__probe_number"][0] == second.pk, "a switch is its own connection's"
    assert "probe_number" not in operator
    assert not any(name.startswith("again__") for name in of_first), "a pattern of one let the other in"
    assert "again__probe_write" in without_write and "probe_write" not in without_write
    assert set(echo_only) == {"probe_echo", "again__probe_echo"}
    assert "again__probe_write" not in viewer
    assert (await call_tool(people[0], "probe_echo", {"text": "first"})).structured == {"said": "first"}
    for caller, name in ((people[1], "again__probe_echo"), (people[0], "probe_number"), (viewer_of(people), "again__probe_write")):  # fmt: skip
        with pytest.raises(UnknownTool):
            await call_tool(caller, name, {"text": "x"})
    # The second of a connector never becomes the first, even when that one goes.
    from connectors.services import connection_delete

    await in_db(lambda: connection_delete(first, actor=SYSTEM))
    left = await exposed(people[0])
    assert left and all(name.startswith("again__") for name in left)


def viewer_of(people):
    return people[-1]
