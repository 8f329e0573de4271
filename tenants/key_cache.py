"""What this process remembers of access keys: a bounded LRU, checked against the tenant's version.

An entry holds a digest and plain values, never a secret. It is good while the tenant's version
is not behind what the watcher announced; expiry and networks are looked at on each use.
"""

import contextlib
import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Q

from common.writer import QueueFullError, writer
from tenants.addresses import Network, parse_address, parse_networks, within
from tenants.changes import watcher
from tenants.models import AccessKey, Principal, Tenant
from tenants.principals import Caller
from tenants.selectors import caller_of

MAX_KEYS = 10_000
MAX_UNKNOWN = 10_000
UNKNOWN_FOR_S = 5.0
USE_EVERY_S = 60.0
_ADDRESSES = 32

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A mapping that forgets what was used least recently; safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._items: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        """The value, which becomes the most recently used one."""
        found = self._items.get(key)
        if found is not None:
            try:  # noqa: SIM105  suppress() costs more than the rest of this method
                self._items.move_to_end(key)
            except KeyError:  # another thread dropped it just now
                pass
        return found

    def put(self, key: K, value: V) -> None:
        """Remember a value, dropping the least recently used beyond the size."""
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            while len(self._items) > self.size:
                self._items.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget a value."""
        with self._lock:
            self._items.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()


@dataclass(slots=True)
class KeyEntry:
    """One access key as of its tenant's ``version``."""

    key_id: str
    digest: bytes = field(repr=False)
    slug: str
    tenant_id: UUID
    version: int
    refusal: str  # why the key is dead (suspended, revoked, inactive), or ""
    expires: float  # seconds since 1970, infinity for never
    networks: tuple[Network, ...]
    template: Caller
    used_at: float
    callers: dict[tuple[str, str], Caller | None] = field(default_factory=dict)

    @property
    def is_current(self) -> bool:
        """Whether nothing newer was heard of the tenant."""
        return self.version >= watcher.current_version(self.tenant_id)

    def caller(self, address: str, via: str) -> Caller | None:
        """The caller at an address, None where the key's networks do not hold it."""
        where = (address, via)
        try:
            return self.callers[where]
        except KeyError:
            pass
        parsed = parse_address(address)
        allowed = not self.networks or (parsed is not None and within(parsed, self.networks))
        found = replace(self.template, address=address, via=via) if allowed else None
        if len(self.callers) >= _ADDRESSES:
            self.callers.clear()
        self.callers[where] = found
        return found

    def renewed(self, caller: Caller) -> Caller | None:
        """An earlier caller through this key with what it may do now, None where it may not come."""
        own = self.template
        same = own.tenant.id == caller.tenant.id and own.principal_id == caller.principal_id
        if not same or self.refusal or self.expires <= time.time():
            return None
        if self.caller(caller.address, caller.via) is None:
            return None
        return _renewed(caller, own)

    def note_use(self, now: float) -> None:
        """Have the last use written, at most once a minute, with the next batch of writes."""
        if now - self.used_at >= USE_EVERY_S:
            self.used_at = now
            with contextlib.suppress(QueueFullError):  # a time of use is not worth refusing a call
                writer.submit_later("key_use", (self.tenant_id, self.key_id, now))


entries: Bounded[str, KeyEntry] = Bounded(MAX_KEYS)
# Digests of keys that no row has, until when to remember that.
unknown: Bounded[bytes, float] = Bounded(MAX_UNKNOWN)


def digest_of(secret: str) -> bytes:
    """SHA-256 of a presented secret: the random part has 256 bits, so a slow hash adds nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def load(key_id: str) -> KeyEntry | None:
    """Read a key with its tenant and principal in one query, and remember it.

    One statement sees one moment, so the version belongs to the values.
    """
    rows = AccessKey.unscoped.select_related("tenant", "principal", "principal__user")
    row = rows.filter(pk=key_id).first()
    if row is None:
        entries.drop(key_id)
        return None
    # One tenant object, so that the caller is built without another query.
    row.principal.tenant = row.tenant
    entry = KeyEntry(
        key_id=row.id,
        digest=bytes.fromhex(row.digest),
        slug=row.tenant.slug,
        tenant_id=row.tenant_id,
        version=row.tenant.version,
        refusal=_refusal(row),
        expires=math.inf if row.expires_at is None else row.expires_at.timestamp(),
        networks=parse_networks(row.networks),
        template=caller_of(row.principal, key=row),
        used_at=0.0 if row.last_used_at is None else row.last_used_at.timestamp(),
    )
    watcher.heard(entry.tenant_id, entry.version)
    entries.put(key_id, entry)
    return entry


def load_principal(caller: Caller) -> Caller | None:
    """A caller without a key (of a command, say) as its principal is now, None where it is gone."""
    rows = Principal.objects.for_tenant(caller.tenant.id).select_related("tenant", "user")
    row = rows.filter(pk=caller.principal_id).first()
    if row is None or row.tenant.status != Tenant.Status.ACTIVE:
        return None
    if row.user is not None and not row.user.is_active:
        return None
    return _renewed(caller, caller_of(row))


def _renewed(caller: Caller, own: Caller) -> Caller:
    """The caller's own way of coming (client, address, selection) with the rights of ``own``."""
    if (own.tenant, own.role, own.rights) == (caller.tenant, caller.role, caller.rights):
        return caller
    return replace(
        caller, tenant=own.tenant, principal_name=own.principal_name, role=own.role,
        rights=own.rights if caller.key_id else caller.rights,
    )  # fmt: skip


def _refusal(row: Any) -> str:
    if row.tenant.status != Tenant.Status.ACTIVE:
        return "suspended"
    if row.revoked_at is not None:
        return "revoked"
    if row.principal.user is not None and not row.principal.user.is_active:
        return "inactive"
    return ""


def is_unknown(digest: bytes) -> bool:
    """Whether this secret was looked up in vain a moment ago."""
    until = unknown.get(digest)
    return until is not None and until > time.monotonic()


def note_unknown(digest: bytes) -> None:
    """Remember for a moment that no key has this secret."""
    unknown.put(digest, time.monotonic() + UNKNOWN_FOR_S)


def _write_uses(payloads: Any) -> list[None]:
    latest: dict[tuple[str, UUID], float] = {}
    for tenant_id, key_id, at in payloads:
        latest[key_id, tenant_id] = max(at, latest.get((key_id, tenant_id), 0.0))
    for (key_id, tenant_id), at in sorted(latest.items()):  # one order in all workers: no deadlock
        when = datetime.fromtimestamp(at, UTC)
        older = Q(last_used_at__isnull=True) | Q(last_used_at__lt=when - timedelta(seconds=USE_EVERY_S / 2))
        AccessKey.objects.filter(older, tenant_id=tenant_id, pk=key_id).update(last_used_at=when)
    return [None] * len(payloads)


writer.register("key_use", _write_uses, order=50)
