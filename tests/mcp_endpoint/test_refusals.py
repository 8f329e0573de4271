import pytest

from audit.models import AuditEvent
from common.db import in_db
from common.writer import writer
from tests.mcp_endpoint.speak import Post, by_door, headers_of, legacy, make_place, modern


@pytest.fixture
def place():
    return make_place(connectors=("probe",))


def rows_of(place):
    writer.flush()
    found = AuditEvent.unscoped.filter(tenant_id=place.tenant.pk, kind="denial").order_by("seq")
    return [(row.name, row.error_type, row.message.split(":")[0]) for row in found]


async def test_malformed_requests_of_a_known_caller_leave_one_row_a_minute_for_each_mistake(place):
    broken = Post(place.path, b"{", list(headers_of(place).items()))
    for _ in range(5):
        await by_door(broken)
        await by_door(modern(place, "no/such"))
        await by_door(modern(place, "tools/call", {"name": "probe_echo"}, mcp_name="another"))
    assert await in_db(rows_of, place) == [
        ("", "protocol_error", "-32700"),
        ("no/such", "protocol_error", "-32601"),
        ("tools/call", "protocol_error", "-32020"),
    ]


async def test_a_refused_call_has_its_own_row_alone(place):
    await by_door(modern(place, "tools/call", {"name": "nothing", "arguments": {}}))
    assert await in_db(rows_of, place) == [("nothing", "permission", "There is no such tool.")]


async def test_strangers_and_orderly_requests_leave_none(place):
    stranger = Post(place.path, b"{", [("content-type", "application/json")])
    for post in (
        stranger,
        legacy(place, "ping"),
        modern(place, "tools/list"),
        modern(place, "server/discover"),
    ):
        await by_door(post)
    assert await in_db(rows_of, place) == []
