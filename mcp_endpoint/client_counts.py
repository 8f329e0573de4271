"""Which clients speak to a tenant: requests, calls and errors by client, version and revision.

So that an admin sees which old clients remain before a transport is switched off. Each
process counts in memory, which costs a request a dictionary's look-up, and adds its numbers
to the tenant's hash of the day (UTC) in Redis every few seconds and when it stops; what
Redis does not take stays for the next time. What a client says of itself is untrusted text:
cleaned and cut before it comes here, and a tenant has at most :data:`MAX_CLIENTS` of them in
a day; the rest is counted together.
"""

import contextlib
import json
import logging
import threading
import time
from dataclasses import dataclass
from uuid import UUID

import redis

from common.redis import sync_client, tenant_key
from tenants.principals import ClientInfo

logger = logging.getLogger(__name__)

ROOM = "clients"
FLUSH_S = 5.0
KEPT_DAYS = 90
DAY_S = 86_400
MAX_CLIENTS = 200  # per tenant and day
OTHER = "other"  # the field of all clients beyond them; the others' fields are JSON lists

Kind = tuple[str, str, ClientInfo]  # revision, transport, client

# Adds to each field's "requests calls errors last_seen", or to the field of the rest where the
# hash is full. ARGV: most fields, seconds to keep, the rest's field, then five for each client.
_ADD = """
for i = 4, #ARGV, 5 do
  local field = ARGV[i]
  if redis.call('HEXISTS', KEYS[1], field) == 0
      and redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], ARGV[3]) >= tonumber(ARGV[1]) then
    field = ARGV[3]
  end
  local r, c, e, seen = string.match(redis.call('HGET', KEYS[1], field) or '0 0 0 0', '(%d+) (%d+) (%d+) (%d+)')
  redis.call('HSET', KEYS[1], field, string.format('%.0f %.0f %.0f %.0f',
    r + ARGV[i + 1], c + ARGV[i + 2], e + ARGV[i + 3], math.max(seen, ARGV[i + 4])))
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


@dataclass(slots=True)
class ClientCount:
    """One client's numbers over some days; ``last_seen`` is in seconds since 1970.

    ``name`` is empty for a client that does not say its name, ``revision`` and ``transport``
    for the sum of those beyond the day's limit (``name`` is then :data:`OTHER`).
    """

    name: str
    version: str
    revision: str
    transport: str
    requests: int = 0
    calls: int = 0
    errors: int = 0
    last_seen: int = 0


class Counts:
    """A process's numbers that Redis does not have yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: dict[tuple[UUID, int], dict[Kind | None, list[int]]] = {}
        self._timer: threading.Timer | None = None

    def add(self, tenant_id: UUID, kind: Kind, *, call: bool, error: bool) -> None:
        """Count a request, from any thread; a moment's work."""
        now = int(time.time())
        with self._lock:
            if self._timer is None:
                self._arm()
            table = self._tables.get((tenant_id, now // DAY_S))
            if table is None:
                table = self._tables[(tenant_id, now // DAY_S)] = {}
            row = table.get(kind)
            if row is None:
                row = table.setdefault(kind if len(table) < MAX_CLIENTS else None, [0, 0, 0, 0])
            row[0] += 1
            row[1] += call
            row[2] += error
            row[3] = now

    def _arm(self) -> None:
        timer = threading.Timer(FLUSH_S, self.flush)
        timer.daemon = True
        timer.name = "portico-clients"
        with contextlib.suppress(RuntimeError):  # no thread to be had now: the next request tries again
            timer.start()
            self._timer = timer

    def flush(self) -> None:
        """Add everything to Redis, from a thread; what it does not take is kept for the next time."""
        with self._lock:
            timer, self._timer = self._timer, None
            tables, self._tables = self._tables, {}
        if timer is not None:
            timer.cancel()
        failed = False
        for (tenant_id, day), table in tables.items():
            try:
                if not failed:
                    _store(tenant_id, day, table)
                    continue
            except (redis.RedisError, OSError) as error:
                logger.warning("Counts of clients wait for Redis: %s", type(error).__name__)
                failed = True
            self._give_back(tenant_id, day, table)

    def _give_back(self, tenant_id: UUID, day: int, table: dict[Kind | None, list[int]]) -> None:
        if day < time.time() // DAY_S - 1:  # Redis was away for a day: no memory grows with it
            return
        with self._lock:
            if self._timer is None:
                self._arm()
            held = self._tables.setdefault((tenant_id, day), {})
            for kind, row in table.items():
                target = kind if kind in held or len(held) < MAX_CLIENTS else None
                mine = held.setdefault(target, [0, 0, 0, 0])
                mine[:] = [mine[0] + row[0], mine[1] + row[1], mine[2] + row[2], max(mine[3], row[3])]


def _store(tenant_id: UUID, day: int, table: dict[Kind | None, list[int]]) -> None:
    arguments: list[str | int] = [MAX_CLIENTS, KEPT_DAYS * DAY_S, OTHER]
    for kind, row in table.items():
        arguments += [_field(kind), *row]
    sync_client().eval(_ADD, 1, tenant_key(tenant_id, ROOM, day), *arguments)


def _field(kind: Kind | None) -> str:
    if kind is None:
        return OTHER
    revision, transport, client = kind
    return json.dumps([client.name, client.version, revision, transport], ensure_ascii=False)


def clients_of(tenant_id: UUID, *, days: int = 30) -> list[ClientCount]:
    """A tenant's clients of the last ``days`` days (today is one), the latest seen first.

    Numbers of the last seconds may be missing. Raises redis.RedisError.
    """
    today = int(time.time()) // DAY_S
    pipe = sync_client().pipeline(transaction=False)
    for day in range(today - min(days, KEPT_DAYS) + 1, today + 1):
        pipe.hgetall(tenant_key(tenant_id, ROOM, day))
    found: dict[str, ClientCount] = {}
    for answer in pipe.execute():
        for field, value in answer.items():
            name = field.decode()
            row = found.get(name)
            if row is None:
                told = [OTHER, "", "", ""] if name == OTHER else json.loads(name)
                row = found[name] = ClientCount(*told)
            requests, calls, errors, seen = map(int, value.split())
            row.requests += requests
            row.calls += calls
            row.errors += errors
            row.last_seen = max(row.last_seen, seen)
    return sorted(found.values(), key=lambda row: (-row.last_seen, row.name, row.version))


counts = Counts()
