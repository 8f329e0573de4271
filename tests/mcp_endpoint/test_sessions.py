import json

from common.db import in_db
from common.signing import seal
from mcp_endpoint import sessions
from tests.factories import make_caller, make_key
from tests.mcp_endpoint.speak import Place, by_door, initialize, legacy


async def session_of(place, **more) -> str:
    return (await by_door(initialize(place, **more))).headers["mcp-session-id"]


async def test_a_session_of_another_tenant_or_principal_is_unknown(place, other_place):
    session = await session_of(place)
    _, secret = await in_db(make_key, place.tenant)
    neighbour = Place(place.tenant, secret, None)
    assert (await by_door(legacy(place, "tools/list", mcp_session_id=session))).status == 200
    for stranger in (other_place, neighbour):
        answer = await by_door(legacy(stranger, "tools/list", mcp_session_id=session))
        assert answer.status == 404
        assert "initialize again" in answer.error["message"]
    _, second = await in_db(make_key, place.tenant, principal=place.access_key.principal)
    same_principal = Place(place.tenant, second, None)
    assert (await by_door(legacy(same_principal, "tools/list", mcp_session_id=session))).status == 200


async def test_a_forged_altered_or_expired_session_is_unknown(place):
    session = await session_of(place)
    caller = await in_db(make_caller, place.tenant)
    value = {"v": "2025-11-25", "n": "", "w": "", "f": 0, "e": 1, "i": "x"}
    bind = f"{place.tenant.pk}:{place.access_key.principal_id}"
    over = seal("mcp-session", value, bind=bind)
    foreign_purpose = seal("cursor:tools/list", {**value, "e": 2**40}, bind=bind)
    for token in ("x", session[:-2], session + "A", over, foreign_purpose, "é", "a" * 5000):
        answer = await by_door(legacy(place, "ping", mcp_session_id=token))
        assert answer.status == 404, token
    assert sessions.open_session(session, caller) is None


async def test_a_session_stays_small_and_holds_only_what_it_must(place):
    noisy = await session_of(place, client="\U0001f600" * 5000, elicitation={"form": {}, "url": {}}, roots={})
    assert len(noisy) < 1024
    assert place.key not in noisy
    opened = sessions.open_session(noisy, await _same_caller(place))
    assert opened.flags == {"elicitation", "elicitation.url", "roots"}
    assert len(opened.client.name) <= 64


async def _same_caller(place):
    from tenants.access import authenticate

    return await authenticate(place.tenant.slug, place.key, address="127.0.0.1")


async def test_the_client_of_a_session_is_in_the_audit(place):
    session = await session_of(place, client="named-client")
    post = legacy(place, "tools/call", {"name": "demo_add", "arguments": {"a": 41}}, mcp_session_id=session,
                  x_request_id="of-the-session", x_forwarded_for="203.0.113.9")  # fmt: skip
    post.body = json.dumps(
        {**json.loads(post.body), "params": {"name": "demo_add", "arguments": {"a": 41}, "_meta": {
            "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}}}
    ).encode()  # fmt: skip
    assert (await by_door(post)).status == 200
    row = await in_db(_row, place.tenant, "of-the-session")
    assert (row.client_name, row.client_version, row.address) == ("named-client", "1.0", "127.0.0.1")
    assert row.trace_id == "ab" * 16


def _row(tenant, request_id):
    from audit.models import AuditEvent

    return AuditEvent.objects.for_tenant(tenant).get(request_id=request_id, phase="done")
