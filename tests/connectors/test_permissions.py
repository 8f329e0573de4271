from dataclasses import replace
from uuid import uuid4

import pytest

from connectors.permissions import ConnectionRules, RoleRule, Subject, decide
from tenants.principals import Caller, KeyRights, PrincipalKind, Role, TenantRef

TENANT = TenantRef(uuid4(), "acme", "Acme")
RULES = ConnectionRules("goals", seen_tools=frozenset({"get_goal", "create_goal", "delete_goal"}))
READ, WRITE = Subject("get_goal"), Subject("create_goal", writes=True)


def caller(role: Role = Role.OPERATOR, **more: object) -> Caller:
    return Caller(TENANT, uuid4(), PrincipalKind.SERVICE_ACCOUNT, "agent", role, **more)  # type: ignore[arg-type]


def allowed(who: Caller, subject: Subject, rules: ConnectionRules = RULES, **more: object) -> bool:
    given = {"tenant": TENANT, "role_rules": {}, **more}
    return decide(who, rules, subject, **given).allowed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "reads", "writes"), [("viewer", True, False), ("operator", True, True), ("owner", True, True)]
)
def test_roles_read_or_write(role: str, reads: bool, writes: bool):
    assert allowed(caller(Role(role)), READ) is reads
    assert allowed(caller(Role(role)), WRITE) is writes


@pytest.mark.parametrize(
    "narrowed",
    [
        {"tenant": replace(TENANT, read_only=True)},
        {"rules": replace(RULES, read_only=True)},
        {"rules": replace(RULES, tools={"create_goal": False})},
        {"rules": replace(RULES, toolsets={"": False})},
        {"rules": replace(RULES, enabled=False)},
        {"role_rules": {Role.OPERATOR: RoleRule(deny=("goals:create_*",))}},
        {"role_rules": {Role.OPERATOR: RoleRule(allow=("memory:*",))}},
    ],
)
def test_each_rule_alone_refuses_a_write(narrowed: dict[str, object]):
    assert allowed(caller(), WRITE)
    assert not allowed(caller(), WRITE, **narrowed)


def test_a_read_only_switch_leaves_reading():
    assert allowed(caller(), READ, replace(RULES, read_only=True))


def test_the_platform_switch_refuses_every_write(settings: object):
    settings.PORTICO_READ_ONLY = True  # type: ignore[attr-defined]
    assert not allowed(caller(Role.OWNER), WRITE)
    assert allowed(caller(Role.VIEWER), READ)


def test_a_tool_switch_beats_its_toolset_and_its_default():
    off = Subject("delete_goal", writes=True, toolset="delete", default_on=False)
    assert not allowed(caller(), off)
    assert allowed(caller(), off, replace(RULES, tools={"delete_goal": True}))
    assert allowed(caller(), off, replace(RULES, toolsets={"delete": True}))
    both = replace(RULES, toolsets={"delete": True}, tools={"delete_goal": False})
    assert not allowed(caller(), off, both)


def test_a_new_tool_that_writes_stays_off_until_it_is_switched_on():
    new = Subject("wipe_goals", writes=True)
    assert not allowed(caller(), new)
    assert allowed(caller(), Subject("peek_goals"))
    assert allowed(caller(), new, replace(RULES, tools={"wipe_goals": True}))


def test_a_key_only_narrows():
    key = {"key_id": "abc"}
    assert allowed(caller(rights=KeyRights(), **key), WRITE)
    assert not allowed(caller(rights=KeyRights(read_only=True), **key), WRITE)
    assert not allowed(caller(rights=KeyRights(allow=("goals:get_*",)), **key), WRITE)
    assert allowed(caller(rights=KeyRights(allow=("goals:get_*",)), **key), READ)
    assert not allowed(caller(rights=KeyRights(allow=("goals:*",), deny=("*:create_goal",)), **key), WRITE)
    assert not allowed(caller(Role.VIEWER, rights=KeyRights(allow=("goals:create_goal",)), **key), WRITE)


def test_a_second_connection_is_not_reached_by_a_pattern_of_the_first():
    key = caller(rights=KeyRights(allow=("goals:*",)), key_id="abc")
    assert not allowed(key, READ, replace(RULES, slug="goals2"))


def test_a_run_as_never_gains_a_right():
    owner, viewer = caller(Role.OWNER), caller(Role.VIEWER)
    assert not allowed(replace(owner, actor=viewer), WRITE)
    assert not allowed(replace(viewer, actor=owner), WRITE)
    assert allowed(replace(owner, actor=caller(Role.ADMIN)), WRITE)


def test_a_decision_names_the_rule_that_refused():
    decision = decide(caller(Role.VIEWER), RULES, WRITE, tenant=TENANT, role_rules={})
    assert decision.reason == "The role viewer may not use tools that write."
    assert [step.rule for step in decision.steps if not step.allowed] == ["role"]
