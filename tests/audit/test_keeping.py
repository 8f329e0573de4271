import csv
import gzip
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

import audit.export
from audit.archive import LegalHoldError, archive_chain, verify_archive
from audit.events import Event, now_us
from audit.export import UnknownFormatError, export_rows
from audit.models import AuditAnchor, AuditArchive, AuditEvent, AuditHead
from audit.retention import apply_retention
from audit.services import record_blocking
from audit.tasks import checkpoint_all
from audit.verification import verify
from common.db import in_db
from tenants.models import Tenant
from tests.audit.conftest import record_all
from tests.factories import unique

DAY_US = 86_400_000_000


@pytest.fixture
async def aged(tenant, call):
    """Thirty old events between today's: the first of the tenant is from today."""
    await record_all([call(f"old_{n}", at_us=now_us() - 40 * DAY_US) for n in range(30)])
    await record_all([call(f"new_{n}") for n in range(5)])

    def age():
        # Making the tenant left events of today before the old ones: a prefix must be all old.
        tenant.audit_retention_days = 30
        tenant.save()
        return tenant

    return await in_db(age)


def old_chain():
    """A tenant whose whole beginning is old."""
    tenant = Tenant.objects.create(slug=unique("t"), name="old", audit_retention_days=30)
    for number in range(12):
        record_blocking(Event(tenant.pk, "call", name=f"old_{number}", at_us=now_us() - 40 * DAY_US))
    for number in range(3):
        record_blocking(Event(tenant.pk, "call", name=f"new_{number}", arguments={"n": number}))
    return tenant


def test_retention_removes_an_old_prefix_and_leaves_a_signed_anchor():
    tenant = old_chain()
    assert apply_retention(tenant.pk, batch=5) == 12
    rows = AuditEvent.objects.for_tenant(tenant).order_by("seq")
    assert [row.name for row in rows] == ["new_0", "new_1", "new_2", "audit.retention"]
    anchor = AuditAnchor.objects.for_tenant(tenant).get()
    assert (anchor.seq, anchor.removed) == (12, 12)
    assert verify(tenant.pk.hex).ok
    assert apply_retention(tenant.pk) == 0
    rows.filter(seq=13).delete()
    assert verify(tenant.pk.hex).bad_seq == 13
    AuditAnchor.objects.for_tenant(tenant).update(seq=13)
    assert "anchor" in verify(tenant.pk.hex).problem


def test_retention_takes_only_a_prefix(aged):
    assert apply_retention(aged.pk) == 0


def test_a_legal_hold_stops_retention_and_archiving():
    tenant = old_chain()
    tenant.audit_legal_hold = True
    tenant.save()
    assert apply_retention(tenant.pk) == 0
    with pytest.raises(LegalHoldError), transaction.atomic():
        archive_chain(tenant)
    assert AuditEvent.objects.for_tenant(tenant).count() == 15


def test_retention_keeps_a_prefix_that_does_not_verify():
    tenant = old_chain()
    AuditEvent.objects.for_tenant(tenant).filter(seq=4).update(name="edited")
    assert apply_retention(tenant.pk) == 0
    assert verify(tenant.pk.hex).bad_seq == 4


def test_the_chain_of_a_deleted_tenant_is_kept_as_a_file_that_verifies(settings):
    tenant = old_chain()
    with transaction.atomic():
        archive = archive_chain(tenant)
        tenant.delete()
    path = settings.VAR / archive.file
    assert path.stat().st_mode & 0o777 == 0o600
    assert (archive.rows, archive.first_seq, archive.last_seq) == (15, 1, 15)
    assert not AuditEvent.objects.for_tenant(archive.chain).exists()
    assert not AuditHead.objects.for_tenant(archive.chain).exists()
    assert verify_archive(path).ok
    call_command("verify_audit", archive=path)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-2])))
    assert not verify_archive(path).ok
    path.write_bytes(gzip.compress(b"".join(lines).replace(b"old_3", b"old_9")))
    assert verify_archive(path).bad_seq == 4
    AuditArchive.objects.filter(pk=archive.pk).delete()


def test_checkpoints_reach_every_chain_that_moved():
    tenant = old_chain()
    assert checkpoint_all() >= 1
    assert verify(tenant.pk.hex).checkpoints == 1


async def test_an_export_has_every_event_in_both_formats(tenant, call):
    await record_all([call(f"tool_{n}", arguments={"n": n}) for n in range(30)])
    await record_all([call("=cmd()", principal_name="+1", message="@x")])

    def export(format):
        return b"".join(export_rows(tenant, format, {"kind": "call"})).decode()

    rows = [json.loads(line) for line in (await in_db(export, "jsonl")).splitlines()]
    assert len(rows) == 31 and rows[-1]["name"] == "=cmd()"
    assert rows[0]["at"].endswith("Z") and rows[0]["seq"] < rows[1]["seq"]
    table = list(csv.DictReader(io.StringIO(await in_db(export, "csv"))))
    assert len(table) == 31
    assert (table[-1]["name"], table[-1]["principal_name"], table[-1]["message"]) == ("'=cmd()", "'+1", "'@x")


def test_an_export_is_streamed_in_constant_memory(monkeypatch):
    monkeypatch.setattr(audit.export, "PAGE", 3)
    tenant = old_chain()
    pieces = list(export_rows(tenant, "jsonl"))
    assert len(pieces) == 5
    assert len(b"".join(pieces).splitlines()) == 15


def test_an_export_knows_its_formats_and_its_span(tmp_path):
    tenant = old_chain()
    with pytest.raises(UnknownFormatError, match="choose jsonl or csv"):
        export_rows(tenant, "xml")
    since = datetime.now(UTC) - timedelta(days=1)
    assert len(b"".join(export_rows(tenant, "jsonl", {"since": since})).splitlines()) == 3
    target = tmp_path / "out.csv"
    call_command("export_audit", tenant=tenant.slug, format="csv", output=target)
    assert len(target.read_text().splitlines()) == 17  # a heading, 15 events and the export's own
    assert AuditEvent.objects.for_tenant(tenant).filter(name="audit.export").exists()


def test_a_deleted_tenants_late_event_fails_alone():
    tenant = old_chain()
    gone = tenant.pk
    with transaction.atomic():
        archive_chain(tenant)
        tenant.delete()
    with pytest.raises(IntegrityError):
        record_blocking(Event(gone, "call", name="late"))
