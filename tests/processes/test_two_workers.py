"""What is changed through one process holds in both workers of another within a second."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors import services as connectors
from tenants import services
from tests.factories import SYSTEM, make_key, make_member
from tests.live import Line
from tests.mcp_endpoint.speak import Place, make_place, modern

WITHIN_S = 1.0


def works(line: Line, place: Place, tool: str) -> bool:
    answer = line.call(place, tool, text="x")
    if answer.status == 200:
        return "error" not in answer.json
    assert answer.status in (400, 401), answer.body
    return False


def revoke(place):
    services.access_key_revoke(key=place.access_key, actor=SYSTEM)


def narrow(place):
    services.access_key_update(key=place.access_key, deny=["probe:probe_write"], actor=SYSTEM)


def suspend(place):
    services.tenant_suspend(tenant=place.tenant, actor=SYSTEM)


def disable(place):
    connectors.connection_update(connection_of(place), enabled=False, actor=SYSTEM)


def make_read_only(place):
    connectors.connection_update(connection_of(place), read_only=True, actor=SYSTEM)


def switch_off(place):
    connectors.switch_set(connection_of(place), tool="probe_write", enabled=False, actor=SYSTEM)


def switch_toolset_off(place):
    connectors.switch_set(connection_of(place), toolset="write", enabled=False, actor=SYSTEM)


def deny_role(place):
    connectors.permission_set(
        tenant=place.tenant, role="operator", allow=[], deny=["*:probe_write"], actor=SYSTEM
    )


def remove_account(place):
    services.service_account_remove(account=place.access_key.principal, actor=SYSTEM)


def delete_connection(place):
    connectors.connection_delete(connection_of(place), actor=SYSTEM)


def connection_of(place):
    return place.tenant.connections.get(slug="probe")


CHANGES = [
    revoke, narrow, suspend, disable, make_read_only, switch_off, switch_toolset_off, deny_role,
    remove_account, delete_connection,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_both_workers_obey_within_a_second(live, change):
    place = make_place(connectors=("probe",))
    with live.lines() as lines:
        for line in lines:
            assert works(line, place, "probe_write")
        assert obeyed_after(lines, place, change) < WITHIN_S


def test_a_removed_members_key_stops_in_both_workers_within_a_second(live):
    place = make_place(connectors=("probe",))
    member = make_member(place.tenant, "operator")
    access_key, secret = make_key(place.tenant, principal=member)
    theirs = Place(place.tenant, secret, access_key)
    with live.lines() as lines:
        for line in lines:
            assert works(line, theirs, "probe_write")
        took = obeyed_after(
            lines, theirs, lambda _: services.membership_remove(membership=member, actor=SYSTEM)
        )
        assert took < WITHIN_S
        assert all(works(line, place, "probe_write") for line in lines), "another key was hurt"


def test_what_one_worker_changes_the_other_obeys_within_a_second(live):
    place = make_place(connectors=("probe",))
    admin = make_key(place.tenant, role="admin")[1]
    path = f"/api/v1/tenants/{place.tenant.slug}/connections/probe/tools/probe_write"
    with live.lines() as (one, other):
        assert works(other, place, "probe_write")
        for enabled in (False, True):
            one.http.request(
                "PUT", path, f'{{"enabled": {str(enabled).lower()}}}',
                {"Authorization": f"Bearer {admin}", "Content-Type": "application/json"},
            )  # fmt: skip
            assert one.read().status == 204
            changed = time.monotonic()
            while works(other, place, "probe_write") != enabled:
                assert time.monotonic() - changed < WITHIN_S
                time.sleep(0.01)
        listed = other.send(modern(place, "tools/list")).result["tools"]
        assert "probe_write" in {tool["name"] for tool in listed}


def obeyed_after(lines, place, change) -> float:
    """Seconds from the end of a change until every worker refuses, and goes on refusing."""

    def until_refused(line) -> float:
        while works(line, place, "probe_write"):
            assert time.monotonic() - changed < 5 * WITHIN_S, "it never obeyed"
            time.sleep(0.01)
        return time.monotonic()

    change(place)
    changed = time.monotonic()
    with ThreadPoolExecutor(len(lines)) as pool:
        slowest = max(pool.map(until_refused, lines))
    assert not any(works(line, place, "probe_write") for line in lines)
    return slowest - changed
