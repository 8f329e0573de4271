"""Keeping the chain of a tenant that is about to be deleted.

The chain goes to a compressed file under ``VAR/audit-archive``, one JSON array per event
after a line that names the columns, so that it can be verified later with the same key ring;
a signed summary stays in the database.
"""

import gzip
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from audit.events import now_us
from audit.keys import current_kid, seal
from audit.models import AuditAnchor, AuditArchive, AuditCheckpoint, AuditEvent, AuditHead
from audit.rows import COLUMNS, HASH, SEQ, Row
from audit.verification import BrokenChainError, VerificationReport, check_row, rows_of

FOLDER = "audit-archive"
BATCH = 5_000


class LegalHoldError(RuntimeError):
    """The tenant's audit is under a legal hold, so it cannot be removed."""


def archive_chain(tenant: Any) -> AuditArchive | None:
    """Write a tenant's chain to a file, then remove its rows; before the tenant's own row goes.

    Runs in the caller's transaction, which holds the tenant's row. Returns the summary, or
    None for a tenant without events. Raises :class:`LegalHoldError` under a hold. A broken
    chain is archived as it is: its verification will say what is wrong.
    """
    if tenant.audit_legal_hold:
        raise LegalHoldError(f"The audit of {tenant.slug} is under a legal hold; lift it first.")
    if not connection.in_atomic_block:
        raise RuntimeError("archive_chain needs the transaction that deletes the tenant.")
    chain = tenant.pk.hex
    head = AuditHead.objects.for_tenant(tenant).select_for_update().first()
    if head is None:
        return None
    at_us, kid = now_us(), current_kid()
    name = f"{FOLDER}/{tenant.slug}-{chain}-{at_us}.jsonl.gz"
    path = settings.VAR / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    anchor = AuditAnchor.objects.for_tenant(tenant).first()
    start = (anchor.seq, anchor.hash) if anchor else (0, "")
    rows, first, last, digest = _write(path, chain, start)
    archive = AuditArchive.objects.create(
        chain=chain, tenant_slug=tenant.slug, tenant_name=tenant.name, file=name, rows=rows, first_seq=first,
        last_seq=last, last_hash=head.hash, digest=digest, at_us=at_us, key_ring_id=kid,
        signature=seal(kid, "archive", chain, first, last, head.hash, digest, at_us),
    )  # fmt: skip
    while True:
        old = AuditEvent.objects.for_tenant(tenant).order_by("seq").values_list("pk", flat=True)[:BATCH]
        if not AuditEvent.objects.for_tenant(tenant).filter(pk__in=list(old)).delete()[0]:
            break
    for model in (AuditCheckpoint, AuditAnchor, AuditHead):
        model.objects.for_tenant(tenant).delete()
    return archive


def _write(path: Path, chain: str, start: tuple[int, str]) -> tuple[int, int, int, str]:
    """Write the file so that it is whole or absent; returns rows, first, last and its SHA-256."""
    partial = path.with_suffix(".partial")
    count, first, last = 0, start[0] + 1, start[0]
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with gzip.open(raw, "wb", compresslevel=6) as packed:
            packed.write(orjson.dumps({"chain": chain, "columns": COLUMNS, "start": start}) + b"\n")
            for row in rows_of(chain, 0):
                packed.write(orjson.dumps(row) + b"\n")
                count, last = count + 1, row[SEQ]
        raw.flush()
        os.fsync(raw.fileno())
    with partial.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    partial.replace(path)
    return count, first, last, digest


def verify_archive(path: Path) -> VerificationReport:
    """Verify an archived chain against its own seals and, where it is known, its signed summary."""
    report = VerificationReport(chain=path.name)
    try:
        _verify(path, report)
    except BrokenChainError as error:
        report.bad_seq, report.problem = error.seq, f"Archive {path.name}: {error}"
    except (OSError, EOFError, ValueError, LookupError) as error:
        report.problem = f"Archive {path.name} cannot be read: {type(error).__name__}."
    return report


def _verify(path: Path, report: VerificationReport) -> None:
    with gzip.open(path, "rb") as packed:
        start = orjson.loads(packed.readline())["start"]
        seq, digest = int(start[0]), str(start[1])
        report.first_seq = seq + 1
        for row in _rows(packed):
            check_row(row, seq, digest)
            seq, digest = row[SEQ], row[HASH]
            report.rows, report.last_seq = report.rows + 1, seq
    summary = AuditArchive.objects.filter(file__endswith=f"/{path.name}").first()
    if summary is None:
        return
    signed = seal(
        summary.key_ring_id, "archive", summary.chain, summary.first_seq, summary.last_seq, summary.last_hash,
        summary.digest, summary.at_us,
    )  # fmt: skip
    if signed != summary.signature:
        raise BrokenChainError(seq, "its summary was changed.")
    if (summary.last_seq, summary.last_hash) != (seq, digest):
        raise BrokenChainError(seq + 1, f"it ends at event {seq}, its summary at {summary.last_seq}.")


def _rows(lines: Any) -> Iterator[Row]:
    for line in lines:
        yield orjson.loads(line)
