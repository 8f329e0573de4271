"""Signed checkpoints: every hour the head of each chain that moved, to a table and to the log.

The log is the copy outside: who can rewrite the database cannot rewrite the log that was
shipped elsewhere, and ``verify_audit --against`` compares the two.
"""

import json
import logging
from collections.abc import Iterable, Iterator

from django.db import transaction

from audit.events import now_us
from audit.keys import current_kid, seal
from audit.models import AuditCheckpoint, AuditHead
from audit.verification import KnownHead

logger = logging.getLogger("audit.checkpoint")
MARK = "audit checkpoint "


def checkpoint(chain: str) -> AuditCheckpoint | None:
    """Sign a chain's head as it is now; None when it did not move since the last checkpoint."""
    with transaction.atomic():
        head = AuditHead.unscoped.filter(chain=chain).first()
        if head is None or head.seq == 0:
            return None
        kid, at_us = current_kid(), now_us()
        point, made = AuditCheckpoint.unscoped.get_or_create(
            chain=chain,
            seq=head.seq,
            defaults={
                "tenant_id": head.tenant_id,
                "hash": head.hash,
                "at_us": at_us,
                "key_ring_id": kid,
                "signature": seal(kid, "checkpoint", chain, head.seq, head.hash, at_us),
            },
        )
    if not made:
        return None
    logger.info(
        "%s%s",
        MARK,
        json.dumps(
            {
                "chain": chain, "seq": point.seq, "hash": point.hash, "at_us": point.at_us,
                "key": point.key_ring_id, "signature": point.signature,
            }
        ),
    )  # fmt: skip
    return point


def checkpoint_chains() -> int:
    """Checkpoint every chain; returns how many moved."""
    chains = AuditHead.unscoped.values_list("chain", flat=True).order_by("chain")
    return sum(checkpoint(chain) is not None for chain in chains.iterator(chunk_size=1000))


def read_log(lines: Iterable[str]) -> Iterator[KnownHead]:
    """The checkpoints in the lines of a log whose own signatures fit; other lines are skipped.

    A log formatter may have wrapped the line in JSON of its own: quotes are then escaped.
    """
    for line in lines:
        _, found, rest = line.partition(MARK)
        if not found:
            continue
        text = rest[: rest.find("}") + 1].replace('\\"', '"')
        try:
            point = json.loads(text)
            head = KnownHead(str(point["chain"]), int(point["seq"]), str(point["hash"]))
            fits = seal(point["key"], "checkpoint", head.chain, head.seq, head.hash, point["at_us"])
        except (ValueError, KeyError, TypeError, LookupError):
            continue
        if fits == point["signature"]:
            yield head
