"""Checking that a chain says what was written: nothing edited, removed, swapped or cut off.

The rows are read in pages by number, so memory is constant and writers are not disturbed.
What is proved: each row fits its seal and the row before it; the last row is the one that
the sealed head names; every signed checkpoint names a row that is still the same; the first
row follows the signed anchor that retention left.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from audit.chain import head_is_sealed
from audit.keys import chain_key, seal
from audit.models import AuditAnchor, AuditCheckpoint, AuditEvent, AuditHead
from audit.rows import ARGUMENTS, COLUMNS, DIGEST, HASH, KID, SEQ, Row, arguments_digest, seal_row
from common.keyring import UnknownKeyError

PAGE = 2_000
_TENANT = COLUMNS.index("tenant_id")


@dataclass(slots=True)
class VerificationReport:
    """What a verification found; ``problem`` is a sentence, empty when the chain is whole."""

    chain: str
    rows: int = 0
    first_seq: int = 0
    last_seq: int = 0
    erased: int = 0
    checkpoints: int = 0
    bad_seq: int | None = None
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the chain is whole."""
        return not self.problem


class BrokenChainError(Exception):
    """A row, head, anchor or checkpoint does not fit; ``seq`` is the first bad number."""

    def __init__(self, seq: int, message: str) -> None:
        super().__init__(message)
        self.seq = seq


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A checkpoint that was kept outside the database (in a log): number and hash."""

    chain: str
    seq: int
    hash: str


def rows_of(chain: str, after: int, until: int | None = None) -> Iterator[Row]:
    """A chain's rows in order, from the one after ``after``; constant memory."""
    rows = AuditEvent.unscoped.filter(chain=chain).order_by("seq").values_list(*COLUMNS)
    while True:
        page = list(rows.filter(seq__gt=after)[:PAGE])
        for values in page:
            if until is not None and values[SEQ] > until:
                return
            row = list(values)
            if row[_TENANT] is not None:
                row[_TENANT] = row[_TENANT].hex
            yield row
        if len(page) < PAGE:
            return
        after = page[-1][SEQ]


def check_row(row: Row, previous_seq: int, previous_hash: str) -> None:
    """Raise :class:`BrokenChainError` when a row does not follow the one before it."""
    seq = row[SEQ]
    if seq <= previous_seq:
        raise BrokenChainError(seq, f"event {seq} stands before the anchor, where all was removed.")
    if seq != previous_seq + 1:
        missing = previous_seq + 1
        span = f"event {missing} is" if seq == missing + 1 else f"events {missing} to {seq - 1} are"
        raise BrokenChainError(missing, f"{span} missing.")
    try:
        key = chain_key(row[KID])
    except UnknownKeyError as error:
        raise BrokenChainError(seq, f"event {seq} cannot be checked: {error}") from error
    if seal_row(row, previous_hash, key) != row[HASH]:
        raise BrokenChainError(seq, f"event {seq} was changed, or stands in another's place.")
    stored = row[ARGUMENTS]
    if stored and arguments_digest(stored.encode("utf-8", "surrogatepass"), key) != row[DIGEST]:
        raise BrokenChainError(seq, f"the arguments of event {seq} were changed.")


def verify(chain: str, known: tuple[KnownHead, ...] = ()) -> VerificationReport:
    """Verify one chain; ``known`` are checkpoints kept outside, such as lines of a log."""
    while True:
        before = _anchor(chain)
        report = _verify(chain, before, known)
        # Retention may have taken a prefix meanwhile: then what looked like a gap is none.
        if report.ok or _anchor(chain) == before:
            return report


def _anchor(chain: str) -> AuditAnchor | None:
    return AuditAnchor.unscoped.filter(chain=chain).first()


def _verify(chain: str, anchor: AuditAnchor | None, known: tuple[KnownHead, ...]) -> VerificationReport:
    report = VerificationReport(chain)
    try:
        _walk(chain, anchor, known, report)
    except BrokenChainError as error:
        report.bad_seq, report.problem = error.seq, f"Chain {chain}: {error}"
    except UnknownKeyError as error:
        report.bad_seq, report.problem = report.last_seq + 1, f"Chain {chain} cannot be checked: {error}"
    return report


def _walk(
    chain: str, anchor: AuditAnchor | None, known: tuple[KnownHead, ...], report: VerificationReport
) -> None:
    end = (
        AuditHead.unscoped.filter(chain=chain).values("seq", "hash", "key_ring_id", "mac")
    ).first()  # the head before the rows: rows up to it are committed
    seq, digest = _start(anchor)
    report.first_seq, report.last_seq = seq + 1, seq
    expected = _checkpoints(chain, seq, known)
    for row in rows_of(chain, 0, None if end is None else end["seq"]):
        check_row(row, seq, digest)
        seq, digest = row[SEQ], row[HASH]
        report.rows += 1
        report.last_seq = seq
        report.erased += not row[ARGUMENTS] and bool(row[DIGEST])
        if (kept := expected.pop(seq, None)) is not None:
            if kept != digest:
                raise BrokenChainError(seq, f"event {seq} is not the one that a checkpoint names.")
            report.checkpoints += 1
    _check_end(chain, seq, digest, end)
    if expected:
        later = min(expected)
        raise BrokenChainError(
            min(later, seq + 1), f"a checkpoint names event {later}, but the chain ends at event {seq}."
        )


def _start(anchor: AuditAnchor | None) -> tuple[int, str]:
    if anchor is None:
        return 0, ""
    fits = seal(anchor.key_ring_id, "anchor", anchor.chain, anchor.seq, anchor.hash, anchor.at_us)
    if fits != anchor.signature:
        raise BrokenChainError(anchor.seq, f"the anchor at event {anchor.seq} was changed.")
    return anchor.seq, anchor.hash


def _checkpoints(chain: str, start: int, known: tuple[KnownHead, ...]) -> dict[int, str]:
    expected: dict[int, str] = {}
    for point in AuditCheckpoint.unscoped.filter(chain=chain, seq__gt=start).order_by("seq"):
        fits = seal(point.key_ring_id, "checkpoint", chain, point.seq, point.hash, point.at_us)
        if fits != point.signature:
            raise BrokenChainError(point.seq, f"the checkpoint at event {point.seq} was changed.")
        expected[point.seq] = point.hash
    for head in known:
        if head.chain != chain or head.seq <= start:
            continue
        if expected.setdefault(head.seq, head.hash) != head.hash:
            raise BrokenChainError(head.seq, f"event {head.seq} is not the one that the log names.")
    return expected


def _check_end(chain: str, seq: int, digest: str, end: dict[str, Any] | None) -> None:
    if end is None:
        if seq or AuditEvent.unscoped.filter(chain=chain).exists():
            raise BrokenChainError(seq, "the head is missing.")
        return
    if end["seq"] > seq:
        span = f"event {seq + 1} is" if end["seq"] == seq + 1 else f"events {seq + 1} to {end['seq']} are"
        raise BrokenChainError(seq + 1, f"{span} missing at the end.")
    if end["seq"] != seq or end["hash"] != digest:
        raise BrokenChainError(end["seq"], "the head was changed: it does not name the last event.")
    if seq and not head_is_sealed(chain, seq, digest, end["key_ring_id"], end["mac"]):
        raise BrokenChainError(seq, f"the head was changed: its seal does not fit event {seq}.")
    # A head that was set back, with its old seal, would leave rows beyond it: look once more.
    now = AuditHead.unscoped.filter(chain=chain).values_list("seq", flat=True).first()
    last = AuditEvent.unscoped.filter(chain=chain).aggregate(last=Max("seq"))["last"]
    if now == end["seq"] and last is not None and last > now:
        again = AuditHead.unscoped.filter(chain=chain).values_list("seq", flat=True).first()
        if again is not None and last > again:
            raise BrokenChainError(
                seq + 1,
                f"the head was changed: events after {seq} exist, up to {last}, that it does not name.",
            )


def all_chains() -> list[str]:
    """Every chain that anything in the database speaks of."""
    names: set[str] = set()
    for model in (AuditHead, AuditCheckpoint, AuditAnchor):
        names.update(model.unscoped.values_list("chain", flat=True).distinct())
    names.update(AuditEvent.unscoped.order_by().values_list("chain", flat=True).distinct())
    return sorted(names)
