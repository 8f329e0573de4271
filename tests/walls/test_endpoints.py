"""Selections only narrow, and a named endpoint tells a stranger nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.permissions import EndpointRules, decide
from connectors.services import endpoint_create
from tenants.principals import Selection
from tests.factories import SYSTEM
from tests.mcp_endpoint.speak import Place, by_door, by_view, legacy, make_place, modern
from tests.walls.test_rights import PATTERNS, callers, connections, role_rules, subjects, tenants

NAMES = ["goals", "other", "goals:core", "goals:write", "other:core", "gone"]

names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple)
selections = st.builds(
    Selection, endpoint=st.sampled_from(["", "desk", "off"]), chosen=st.lists(names, max_size=2).map(tuple)
)
endpoints = st.builds(
    EndpointRules, slug=st.just("desk"), enabled=st.booleans(), toolsets=st.lists(st.sampled_from(NAMES)).map(tuple),
    include=st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple), read_only=st.booleans(),
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(callers(), selections, endpoints, connections, subjects, tenants, role_rules)
def test_a_selection_never_adds_a_right(caller, selection, endpoint, connection, subject, tenant, rules):
    def may(who):
        return decide(
            who, connection, subject, tenant=tenant, role_rules=rules, endpoints={"desk": endpoint}
        ).allowed

    chosen = replace(caller, selection=selection)
    assert may(caller) or not may(chosen)
    assert may(replace(caller, selection=Selection())) == may(caller)
    if selection.endpoint == "off" or (selection.endpoint == "desk" and not endpoint.enabled):
        assert not may(chosen)
    assert (chosen.rights_key == caller.rights_key) is False


@pytest.mark.parametrize("send", [by_door, by_view])
@pytest.mark.parametrize("speak", [modern, legacy])
async def test_an_endpoint_and_a_selection_look_the_same_to_every_stranger(sides, send, speak):
    left, right = sides
    foreign = Place(right.tenant, left.key, None)
    bodies = set()
    for path in (right.path, f"/t/{right.tenant.slug}/e/desk/mcp", f"/t/{right.tenant.slug}/e/none/mcp"):
        for toolsets in (None, "demo", "nothing", "x" * 9000):
            post = speak(foreign, "tools/list", **({"x_mcp_toolsets": toolsets} if toolsets else {}))
            answer = await send(replace(post, path=path))
            assert answer.status == 401
            bodies.add(answer.body)
    assert len(bodies) == 1


@pytest.fixture(scope="module")
def sides(database):
    left, right = make_place(connectors=("probe",)), make_place(connectors=("probe",))
    endpoint_create(tenant=right.tenant, slug="desk", actor=SYSTEM)
    return left, right
