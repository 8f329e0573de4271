import uuid
from datetime import UTC, datetime, timedelta

from audit.events import Event, new_call_id, now_us
from audit.selectors import HOUR_US, call_of, calls_of, events_of, stats, views_of
from audit.services import record_blocking
from common.text import clean_text


def write(tenant, name, kind="call", **fields):
    event = Event(tenant.pk, kind, name=name, connection=fields.pop("connection", "goals"), **fields)
    record_blocking(event)
    return event


def names(rows):
    return [row.name for row in rows]


def test_events_are_found_by_each_filter_and_by_search(tenant):
    first = write(
        tenant, "create_goal", principal_id="p1", principal_name="Ada", at_us=now_us() - 2 * HOUR_US
    )
    write(
        tenant, "get_order", connection="bistro", outcome="error", error_type="timeout", address="192.0.2.7"
    )
    write(tenant, "delete_goal", kind="denial", outcome="denied", key_id="abc")
    for filters, expected in [
        ({"kind": "call"}, ["get_order", "create_goal"]),
        ({"kind": ["call", "denial"], "connection": "goals"}, ["delete_goal", "create_goal"]),
        ({"outcome": "error"}, ["get_order"]),
        ({"error_type": "timeout"}, ["get_order"]),
        ({"principal": "p1"}, ["create_goal"]),
        ({"key_id": "abc"}, ["delete_goal"]),
        ({"call_id": first.call_id}, ["create_goal"]),
        ({"search": "ADA"}, ["create_goal"]),
        ({"search": "192.0.2.7"}, ["get_order"]),
        ({"search": first.call_id}, ["create_goal"]),
        ({"kind": "call", "since": datetime.now(UTC) - timedelta(hours=1)}, ["get_order"]),
        ({"kind": "call", "until": datetime.now(UTC) - timedelta(hours=1)}, ["create_goal"]),
    ]:
        assert names(events_of(tenant, **filters)) == expected, filters


def test_a_call_is_shown_once_and_an_attempt_alone_is_unknown(tenant):
    call_id = new_call_id()
    write(tenant, "done", phase="attempt", outcome="started", call_id=call_id, arguments={"a": 1})
    write(tenant, "done", call_id=call_id, duration_us=10)
    write(tenant, "lost", phase="attempt", outcome="started")
    views = views_of(tenant, calls_of(tenant))
    assert [(view.event.name, view.outcome) for view in views] == [("lost", "unknown"), ("done", "ok")]
    assert views[1].attempt is not None and views[1].arguments == '{"a":1}'
    assert call_of(tenant, call_id).outcome == "ok"
    assert call_of(tenant, str(uuid.uuid4())) is None


def test_the_figures_of_a_day_add_up(tenant):
    for number in range(1, 21):
        write(tenant, "get_goal", duration_us=number * 1000)
    write(tenant, "create_goal", outcome="error", duration_us=100_000, at_us=now_us() - HOUR_US)
    write(tenant, "ancient", at_us=now_us() - 30 * HOUR_US)
    write(tenant, "attempt", phase="attempt", outcome="started")
    write(tenant, "x", kind="denial", outcome="denied")
    write(tenant, "x", kind="auth", outcome="denied", count=40)
    figures = stats(tenant)
    assert (figures.calls, figures.errors, figures.denials, figures.failed_authentications) == (21, 1, 1, 40)
    assert len(figures.per_hour) == 24 and sum(calls for _, calls, _ in figures.per_hour) == 21
    assert figures.per_hour[-2][1:] == (1, 1)
    assert figures.top_tools == [("goals", "get_goal", 20), ("goals", "create_goal", 1)]
    assert figures.p50_ms == 11 and figures.p95_ms == 20


def test_an_empty_tenant_has_empty_figures(tenant):
    figures = stats(tenant, hours=2)
    assert (figures.calls, figures.p50_ms, figures.top_tools) == (0, None, [])


def test_call_ids_are_valid_ordered_and_of_version_seven():
    ids = [uuid.UUID(new_call_id()) for _ in range(1000)]
    assert {(each.version, each.variant) for each in ids} == {(7, uuid.RFC_4122)}
    assert len(set(ids)) == 1000
    stamps = [each.int >> 80 for each in ids]
    assert stamps == sorted(stamps)


def test_cleaned_text_fits_any_database():
    assert clean_text("a\x00b\ud800", 10).encode()
