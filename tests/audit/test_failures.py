import uuid

from audit.failures import MAX_ENTRIES, FailureCounter
from audit.models import AuditEvent
from audit.services import failures, note_failed_authentication
from audit.verification import verify
from common.writer import writer


def auth_rows(tenant):
    assert writer.flush()
    return list(AuditEvent.objects.for_tenant(tenant).filter(kind="auth").order_by("seq"))


def test_failed_authentications_of_a_minute_are_one_row_with_a_count(tenant):
    clock = [60_000.0]
    counter = FailureCounter(lambda: clock[0])
    for _ in range(50):
        counter.add(tenant.pk, key_id="abc", address="192.0.2.1", reason="unknown_key")
    counter.add(tenant.pk, key_id="abc", address="192.0.2.2", reason="unknown_key")
    clock[0] += 60
    counter.add(tenant.pk, key_id="abc", address="192.0.2.1", reason="unknown_key")
    counter.flush()
    rows = auth_rows(tenant)
    assert sorted((row.address, row.count) for row in rows) == [
        ("192.0.2.1", 1),
        ("192.0.2.1", 50),
        ("192.0.2.2", 1),
    ]
    assert {row.at_us for row in rows} == {60_000_000_000, 60_060_000_000}
    assert verify(tenant.pk.hex).ok


def test_counted_failures_are_written_when_their_minute_ends(tenant):
    counter = FailureCounter(lambda: 119.9)  # the minute ends in a tenth of a second
    counter.add(tenant.pk, key_id="", address="192.0.2.1", reason="no_key")
    counter._timer.join(5)
    assert [row.count for row in auth_rows(tenant)] == [1]


def test_counted_failures_are_written_when_the_process_stops(tenant):
    note_failed_authentication(tenant.pk, address="192.0.2.9", reason="revoked", key_id="k")
    writer.stop()
    assert [(row.address, row.error_type) for row in auth_rows(tenant)] == [("192.0.2.9", "revoked")]


def test_an_unknown_slug_only_counts():
    before = failures.unknown_slugs
    note_failed_authentication(None, address="192.0.2.1", reason="unknown_tenant")
    assert failures.unknown_slugs == before + 1


def test_memory_is_bounded_however_many_addresses_come():
    counter = FailureCounter(lambda: 60_000.0)
    one = uuid.uuid4()
    for number in range(MAX_ENTRIES + 500):
        counter.add(one, key_id="", address=f"2001:db8::{number:x}", reason="no_key")
    assert len(counter._counts) == MAX_ENTRIES + 1
    assert counter._counts[one, "", "", "no_key", 1000] == 500
    for _ in range(MAX_ENTRIES + 10):
        counter.add(uuid.uuid4(), key_id="", address="192.0.2.1", reason="no_key")
    assert len(counter._counts) == 2 * MAX_ENTRIES and counter.dropped > 0
    counter._timer.cancel()
