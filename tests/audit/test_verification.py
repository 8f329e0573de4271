import json
import logging

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from audit import services
from audit.checkpoints import checkpoint, read_log
from audit.events import Event
from audit.models import AuditCheckpoint, AuditEvent, AuditHead
from audit.verification import verify
from common.db import in_db
from tests.audit.conftest import record_all
from tests.factories import SYSTEM, make_tenant


@pytest.fixture
async def chain(tenant, call):
    await record_all([call(f"tool_{number}") for number in range(20)])
    return tenant.pk.hex


@pytest.fixture
def table(tenant, chain):
    return AuditEvent.objects.for_tenant(tenant)


def seqs(table):
    return list(table.order_by("seq").values_list("seq", flat=True))


def test_an_untouched_chain_verifies(tenant, chain, capsys):
    report = verify(chain)
    assert report.ok and report.rows >= 20 and report.last_seq == report.rows
    call_command("verify_audit", tenant=tenant.slug)
    assert "are whole" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["name", "outcome", "at_us", "principal_name", "count", "call_id", "hash"])
def test_an_edited_row_is_found(tenant, chain, table, field):
    bad = seqs(table)[7]
    value = F("at_us") + 1 if field == "at_us" else 2 if field == "count" else "edited"
    table.filter(seq=bad).update(**{field: value})
    assert verify(chain).bad_seq == bad
    with pytest.raises(CommandError, match=f"event {bad} was changed") as failure:
        call_command("verify_audit", tenant=tenant.slug)
    assert failure.value.returncode == 1


def test_edited_arguments_are_found_and_erased_ones_are_not_a_fault(tenant, chain, table):
    target = table.filter(seq=seqs(table)[5]).get()
    assert (
        services.erase_arguments(tenant=tenant, call_ids=[target.call_id], actor=SYSTEM, reason="asked") == 1
    )
    report = verify(chain)
    assert report.ok and report.erased == 1
    table.filter(seq=seqs(table)[6]).update(arguments='{"title":"another"}')
    assert verify(chain).bad_seq == seqs(table)[6]


def test_a_row_deleted_in_the_middle_is_found(chain, table):
    gone = seqs(table)[9]
    table.filter(seq=gone).delete()
    report = verify(chain)
    assert report.bad_seq == gone and "missing" in report.problem


def test_deleted_last_rows_are_found(chain, table):
    last = seqs(table)[-3:]
    table.filter(seq__in=last).delete()
    assert verify(chain).bad_seq == last[0]


def test_deleted_last_rows_are_found_when_the_head_was_set_back_too(tenant, chain, table):
    last = seqs(table)[-3:]
    table.filter(seq__in=last).delete()
    new = table.order_by("-seq").first()
    AuditHead.objects.for_tenant(tenant).update(seq=new.seq, hash=new.hash)
    assert "head was changed" in verify(chain).problem


async def test_a_head_set_back_with_its_old_seal_is_found_by_a_checkpoint(tenant, chain, call):
    old = await in_db(AuditHead.objects.for_tenant(tenant).values().get)
    await record_all([call("later") for _ in range(3)])

    def damage():
        point = checkpoint(chain)
        AuditEvent.objects.for_tenant(tenant).filter(seq__gt=old["seq"]).delete()
        AuditHead.objects.for_tenant(tenant).update(
            **{k: old[k] for k in ("seq", "hash", "mac", "key_ring_id")}
        )
        return point, verify(chain)

    point, report = await in_db(damage)
    assert report.bad_seq == old["seq"] + 1 and f"names event {point.seq}" in report.problem


def test_a_checkpoint_in_the_log_finds_what_the_database_no_longer_tells(
    tenant, chain, table, tmp_path, caplog
):
    old = AuditHead.objects.for_tenant(tenant).values().get()
    services.record_blocking(Event(tenant.pk, "call", name="late"))
    with caplog.at_level(logging.INFO, "audit.checkpoint"):
        checkpoint(chain)
    log = tmp_path / "app.log"
    lines = [f"2026-11-21 INFO {record.getMessage()}" for record in caplog.records]
    log.write_text("\n".join([*lines, json.dumps({"message": lines[0]}), 'audit checkpoint {"chain": "x"}']))
    assert len(list(read_log(log.read_text().splitlines()))) == 2
    call_command("verify_audit", tenant=tenant.slug, against=log)
    AuditCheckpoint.objects.for_tenant(tenant).delete()
    table.filter(seq__gt=old["seq"]).delete()
    AuditHead.objects.for_tenant(tenant).update(**{k: old[k] for k in ("seq", "hash", "mac", "key_ring_id")})
    assert verify(chain).ok  # inside the database nothing is left that could tell
    with pytest.raises(CommandError, match="a checkpoint names event"):
        call_command("verify_audit", tenant=tenant.slug, against=log)


def test_two_swapped_rows_are_found(chain, table):
    one, two = seqs(table)[4:6]
    table.filter(seq=one).update(seq=-1)
    table.filter(seq=two).update(seq=one)
    table.filter(seq=-1).update(seq=two)
    assert verify(chain).bad_seq == one


def test_a_row_moved_to_another_tenant_is_found(chain, table):
    bad = seqs(table)[3]
    table.filter(seq=bad).update(tenant=make_tenant())
    assert verify(chain).bad_seq == bad


@pytest.mark.parametrize(
    "change", [{"seq": F("seq") - 1}, {"hash": "0" * 64}, {"mac": "0" * 64}, {"seq": F("seq") + 1}]
)
def test_an_edited_head_is_found(tenant, chain, change):
    AuditHead.objects.for_tenant(tenant).update(**change)
    assert not verify(chain).ok


def test_a_deleted_head_is_found(tenant, chain):
    AuditHead.objects.for_tenant(tenant).delete()
    assert "head is missing" in verify(chain).problem


def test_an_edited_checkpoint_is_found(tenant, chain):
    point = checkpoint(chain)
    assert verify(chain).checkpoints == 1
    assert checkpoint(chain) is None  # nothing moved
    AuditCheckpoint.objects.for_tenant(tenant).filter(pk=point.pk).update(hash="0" * 64)
    assert "checkpoint" in verify(chain).problem


def test_an_unknown_tenant_is_named():
    with pytest.raises(CommandError, match="no tenant 'nobody-here'"):
        call_command("verify_audit", tenant="nobody-here")
